// Owns what is known of health and load, and what follows from it: it outlives configurations, and restarts by its file; each
// configuration has a state of its own, that threads answer from.

import type { Log } from '../../core/log.ts';
import { Availability } from '../../gtm/availability.ts';
import { changesOf, FactLayers, newKnownFacts, subjectOf } from '../../gtm/fact-layers.ts';
import type { FactChange, ServerFacts, ThingChange } from '../../gtm/facts.ts';
import type { KnownFacts } from '../../gtm/fact-layers.ts';
import { newStateMemory, type StateMemory, StateWriter } from '../../gtm/state-journal.ts';
import { type Reported, type StatusReport, StatusReports } from '../../gtm/status-report.ts';
import type { GtmIndex, WideIpTables } from '../../gtm/tables.ts';
import type { HealthChange } from '../../ipc/health-schema.ts';
import { HEALTH_BEAT_MS, type Measured } from '../../ipc/healthd-schema.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { factChangeOf } from './health-changes.ts';
import { HealthFile } from './health-file.ts';
import type { Forgotten, MeasureTarget } from './health-follower.ts';
import { healthLines } from './health-lines.ts';
import { MeshService, type MeshTarget } from './mesh-service.ts';

export type HealthServiceOptions = {
  /** The file that keeps it. */
  readonly path: string;
  readonly log: Log;
  /** Seconds since 1970. */
  readonly now?: () => number;
};

/** Lines of one answer to `health-list`. */
const PAGE_LINES = 1000;
/** Paths that are remembered; beyond, that goes which was first heard of. */
const MOST_PATHS = 1 << 16;

/** What is measured is good for so long at least: a beat may be late. */
const LEAST_GOOD_SECONDS = (3 * HEALTH_BEAT_MS) / 1000;

type Adopted = { readonly availability: Availability; readonly writer: StateWriter; readonly reports: StatusReports };

export class HealthService implements MeasureTarget, MeshTarget {
  /** What iqueryd tells. */
  readonly mesh: MeshService;
  readonly #file: HealthFile;
  readonly #now: () => number;
  #layers = new FactLayers(newKnownFacts());
  #adopted: Adopted | undefined;
  /** When whoever measures was last heard of, by a clock that nobody sets: milliseconds. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Seconds for which all that was measured is good; undefined: to be found anew. */
  #leastGoodFor: number | undefined;

  constructor({ path, log, now = () => Date.now() / 1000 }: HealthServiceOptions) {
    this.#file = new HealthFile(path, log);
    this.#now = now;
    this.mesh = new MeshService({ target: this, now: () => 1000 * now() });
  }

  /** Reads what was known; to be called before the first configuration. */
  async start(): Promise<void> {
    const known = await this.#file.read();
    this.#layers = new FactLayers(known);
    if (known.heard > 0) this.#heardAt = performance.now() - Math.max(0, 1000 * this.#now() - known.heard);
  }

  /** Goes over to a configuration: its state, in which all numbers are set. What is known of objects that are gone is forgotten. */
  adopt({ index, tables }: { readonly index: GtmIndex; readonly tables: Pick<WideIpTables, 'layout'> }): StateMemory {
    const { facts } = this.#layers;
    const held = facts.held.size;
    const writer = new StateWriter(newStateMemory(tables.layout));
    const availability = new Availability(index, writer, facts);
    this.#forgetAbsent(availability);
    const heardBefore = this.#heardBefore(availability);
    availability.start();
    for (const change of heardBefore) availability.apply(change);
    writer.commit();
    if (facts.held.size !== held) this.#touch();
    const reports = new StatusReports(
      availability,
      () => this.#silence(),
      (key) => this.mesh.origin(key),
    );
    this.#adopted = { availability, writer, reports };
    return writer.memory;
  }

  get known(): KnownFacts {
    return this.#layers.known;
  }

  sayMesh(changes: readonly ThingChange[], paths: readonly FactChange[]): void {
    for (const change of changes) {
      const seen = this.#layers.say('mesh', change);
      if (this.#adopted === undefined) this.#layers.take(seen);
      else this.#adopted.availability.apply(seen);
    }
    for (const path of paths) this.#takePath(path);
    this.#adopted?.writer.commit();
    this.#touch();
  }

  /** Of the configuration that was adopted last; undefined: there was none. */
  get availability(): Availability | undefined {
    return this.#adopted?.availability;
  }

  /** Of the same. */
  get reports(): StatusReports | undefined {
    return this.#adopted?.reports;
  }

  statusOf(reported: Reported): StatusReport {
    return this.#need().reports.statusOf(reported);
  }

  /** Changes by hand. Those that are right are made, all at once. */
  change({ changes }: ParamsOf<'health-change'>): ResultOf<'health-change'> {
    const { availability, writer } = this.#need();
    const { hand } = this.#layers.known;
    const refused: { number: number; reason: string }[] = [];
    changes.forEach((change: HealthChange, number) => {
      try {
        this.#takeByHand(availability, factChangeOf(change, availability, hand, this.#now()));
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
        refused.push({ number, reason: error.message });
      }
    });
    writer.commit();
    if (refused.length < changes.length) this.#touch();
    return { refused };
  }

  heard(): void {
    this.#heardAt = performance.now();
    this.#layers.known.heard = Math.floor(1000 * this.#now());
  }

  measure(measured: readonly Measured[], forgotten: readonly Forgotten[], isWhole: boolean): void {
    const changes = measured.map((each) => measuredChange(each));
    changes.push(...forgotten.map((each) => thingChange(each, undefined)));
    if (isWhole) changes.push(...this.#missing(changes));
    for (const change of changes) {
      if (this.#layers.isSaid('measured', change)) continue;
      const seen = this.#layers.say('measured', change);
      if (this.#adopted === undefined) this.#layers.take(seen);
      else this.#adopted.availability.apply(seen);
    }
    this.#adopted?.writer.commit();
    this.#leastGoodFor = undefined;
    this.#touch();
  }

  staleFor(): number | undefined {
    const silence = this.#silence();
    if (silence <= LEAST_GOOD_SECONDS) return undefined;
    this.#leastGoodFor ??= this.#findLeastGoodFor();
    return silence > this.#leastGoodFor ? silence : undefined;
  }

  list({ cursor = 0 }: ParamsOf<'health-list'>): ResultOf<'health-list'> {
    const { availability, reports } = this.#need();
    const lines = healthLines({
      availability,
      reports,
      known: this.#layers.known,
      ageOf: (server) => this.mesh.ageOf(server),
      now: this.#now(),
    });
    const end = cursor + PAGE_LINES;
    return { lines: lines.slice(cursor, end), ...(end < lines.length && { next: end }) };
  }

  /** Resolves when the file has all that is known. */
  async stop(): Promise<void> {
    // When healthd was heard of last is not worth a file by itself while all goes well.
    if (this.#layers.known.heard > 0) this.#touch();
    await this.#file.close(this.#layers.known);
  }

  #touch(): void {
    this.#file.touch(this.#layers.known);
  }

  /** Seconds. */
  #silence(): number {
    return (performance.now() - this.#heardAt) / 1000;
  }

  #findLeastGoodFor(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { facts } of changesOf(this.#layers.known.measured)) least = Math.min(least, facts!.goodFor!);
    return least;
  }

  #takeByHand(availability: Availability, change: FactChange): void {
    availability.apply(isOfThing(change) ? this.#layers.say('hand', change) : change);
    if (change.kind === 'path') this.#forgetOldestPath();
  }

  /** Paths can only be to datacenters of a configuration. */
  #takePath(change: FactChange): void {
    const availability = this.#adopted?.availability;
    if (availability === undefined) return;
    if (change.kind === 'path' && !availability.graph.datacenterNumbers.has(change.path.datacenter)) return;
    availability.apply(change);
    if (change.kind === 'path') this.#forgetOldestPath();
  }

  #forgetOldestPath(): void {
    const { paths } = this.#layers.facts;
    if (paths.size <= MOST_PATHS) return;
    const oldest = paths.values().next().value!;
    const { client, datacenter } = oldest;
    this.#adopted?.availability.apply({ kind: 'forget-path', client, datacenter });
  }

  /** What was measured before and is not in a whole snapshot. */
  #missing(snapshot: readonly ThingChange[]): ThingChange[] {
    const present = new Set(snapshot.map((change) => `${change.kind} ${subjectOf(change)}`));
    return [...changesOf(this.#layers.known.measured)]
      .filter((change) => !present.has(`${change.kind} ${subjectOf(change)}`))
      .map((change) => ({ ...change, facts: undefined }));
  }

  /**
   * What was measured of things before they were here, as changes: healthd may have a configuration earlier, and what it says counts
   * as if it were said now. It does not count yet.
   */
  #heardBefore(availability: Availability): ThingChange[] {
    const before = this.#adopted?.availability;
    if (before === undefined) return [];
    const changes = [...changesOf(this.#layers.known.measured)]
      .filter((change) => isThere(availability, change) && !isThere(before, change))
      .map((change) => this.#layers.seen(change));
    for (const change of changes) this.#layers.take({ ...change, facts: undefined });
    return changes;
  }

  /**
   * What was said by hand of what is not there any more, and numbers of what has gone; what was measured is whoever's who measures, and
   * may be of what will be there.
   */
  #forgetAbsent(availability: Availability): void {
    const { known, facts } = this.#layers;
    const before = this.#adopted?.availability;
    let isAny = false;
    for (const change of [...changesOf(known.mesh)]) {
      if (before === undefined || isThere(availability, change) || !isThere(before, change)) continue;
      this.#layers.take(this.#layers.say('mesh', { ...change, facts: undefined }));
      isAny = true;
    }
    for (const change of [...changesOf(known.hand)]) {
      if (isThere(availability, change)) continue;
      this.#layers.take(this.#layers.say('hand', { ...change, facts: undefined }));
      isAny = true;
    }
    for (const [key, { datacenter }] of facts.paths) {
      if (availability.graph.datacenterNumbers.has(datacenter)) continue;
      facts.paths.delete(key);
      isAny = true;
    }
    if (isAny) this.#touch();
  }

  #need(): Adopted {
    if (this.#adopted !== undefined) return this.#adopted;
    throw new IpcError('refused', 'no wide IPs or servers are configured: create gtm server makes one');
  }
}

const isOfThing = (change: FactChange): change is ThingChange =>
  change.kind === 'server' || change.kind === 'virtual-server' || change.kind === 'member';

function isThere({ graph }: Availability, change: ThingChange): boolean {
  switch (change.kind) {
    case 'server':
      return graph.serverNumbers.has(change.name);
    case 'virtual-server':
      return graph.virtualServerNumbers.has(change.key);
    case 'member':
      return graph.memberNumbers().has(change.key);
  }
}

function thingChange({ kind, key }: Forgotten, facts: ServerFacts | undefined): ThingChange {
  return kind === 'server' ? { kind, name: key, facts } : { kind, key, facts };
}

function measuredChange({ kind, key, status, reason, since, goodFor, sparesVirtualServers }: Measured): ThingChange {
  return thingChange(
    { kind, key },
    {
      ...{ status, reason, since, goodFor: Math.max(LEAST_GOOD_SECONDS, goodFor) },
      ...(sparesVirtualServers === true && { sparesVirtualServers }),
    },
  );
}
