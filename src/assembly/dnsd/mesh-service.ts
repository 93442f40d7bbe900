// What iqueryd tells of loads and paths: numbers below what is measured. A machine that is lost, or an iqueryd that is, leaves its last
// numbers, which count until they are too old; what a machine that is heard does not say any more is forgotten at once.

import { splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import { changesOf, type KnownFacts, subjectOf } from '../../gtm/fact-layers.ts';
import type { FactChange, PathFacts, ServerFacts, ThingChange, VirtualServerFacts } from '../../gtm/facts.ts';
import { pathKey } from '../../gtm/facts.ts';
import { HEALTH_BEAT_MS } from '../../ipc/healthd-schema.ts';
import type { MeshLoad, MeshMetrics, MeshPath } from '../../ipc/mesh-schema.ts';
import type { ReportTarget } from '../report-follower.ts';

/** Where it goes. */
export type MeshTarget = {
  readonly known: KnownFacts;
  /** Puts numbers into their layer and has them counted, all at once. */
  sayMesh(changes: readonly ThingChange[], paths: readonly FactChange[]): void;
};

export type MeshServiceOptions = {
  readonly target: MeshTarget;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
};

/** Beats may be late. */
const GOOD_MS = 3 * HEALTH_BEAT_MS;
/** How often it is looked whether something is too old. */
const REVIEW_MS = 1000;
const DEFAULT_CACHING = 3600;

export class MeshService implements ReportTarget<MeshMetrics> {
  /** Seconds for which the last numbers of a machine count that is not heard. */
  cachingSeconds = DEFAULT_CACHING;
  readonly #target: MeshTarget;
  readonly #now: () => number;
  #review: NodeJS.Timeout | undefined;

  constructor({ target, now = Date.now }: MeshServiceOptions) {
    this.#target = target;
    this.#now = now;
  }

  start(): void {
    this.#review = setInterval(() => this.review(), REVIEW_MS);
  }

  stop(): void {
    clearInterval(this.#review);
  }

  heard(): void {
    this.#target.known.meshHeard = Math.floor(this.#now());
  }

  staleFor(): number | undefined {
    const { meshHeard, mesh } = this.#target.known;
    const silence = this.#now() - meshHeard;
    const isAny = mesh.servers.size > 0 || mesh.virtualServers.size > 0;
    return isAny && meshHeard > 0 && silence > GOOD_MS ? silence / 1000 : undefined;
  }

  take(pieces: readonly MeshMetrics[], isWhole: boolean): void {
    const loads = pieces.flatMap((piece) => piece.loads.map(loadChange));
    const isNothing = ({ machines, paths, goneMachines, goneLoads, gonePaths }: MeshMetrics): boolean =>
      [machines, paths, goneMachines, goneLoads, gonePaths].every(({ length }) => length === 0);
    if (!isWhole && loads.length === 0 && pieces.every(isNothing)) return;
    this.#takeMachines(pieces, isWhole);
    const changes = [...loads];
    for (const { kind, key } of pieces.flatMap(({ goneLoads }) => goneLoads)) changes.push(forgotten(kind, key));
    if (isWhole) changes.push(...this.#missing(loads));
    this.#target.sayMesh(changes, this.#paths(pieces));
  }

  /** Forgets the numbers of machines that have not been heard for too long. */
  review(): void {
    const { known } = this.#target;
    const old = new Set<string>();
    for (const server of known.machines.keys()) {
      if (this.#now() - this.#heardOf(server) > 1000 * this.cachingSeconds) old.add(server);
    }
    if (old.size === 0) return;
    for (const server of old) known.machines.delete(server);
    const changes = [...changesOf(known.mesh)].filter((change) => old.has(serverOf(change)));
    this.#target.sayMesh(
      changes.map((change) => ({ ...change, facts: undefined })),
      [],
    );
  }

  /** For a person: of a machine that is heard numbers are those of this interval. */
  ageOf(server: string): string {
    const ms = this.#now() - this.#heardOf(server);
    if (ms < GOOD_MS) return ' (heard now)';
    return ` (stale: nothing heard of it for ${Math.floor(ms / 1000)} s)`;
  }

  /** Who says the numbers of a virtual server, for an explanation. */
  origin(virtualServer: string): string {
    const { mesh } = this.#target.known;
    const { server } = splitVirtualServerKey(virtualServer);
    if (!mesh.virtualServers.has(virtualServer) && !mesh.servers.has(server)) return '';
    return `; its numbers are those of ${server} by iQuery${this.ageOf(server)}`;
  }

  /** Milliseconds since 1970. */
  #heardOf(server: string): number {
    const { machines, meshHeard } = this.#target.known;
    const machine = machines.get(server);
    if (machine === undefined) return meshHeard;
    if (!machine.isHeard) return machine.heard;
    return this.#now() - meshHeard > GOOD_MS ? meshHeard : this.#now();
  }

  #takeMachines(pieces: readonly MeshMetrics[], isWhole: boolean): void {
    const { machines } = this.#target.known;
    const lost = new Map([...machines.keys()].map((server) => [server, this.#heardOf(server)]));
    if (isWhole) for (const [server, heard] of lost) machines.set(server, { isHeard: false, heard });
    for (const { server, isHeard, heard } of pieces.flatMap((piece) => piece.machines)) {
      // An iqueryd that has not heard it yet does not know when it was heard.
      machines.set(server, { isHeard, heard: isHeard || heard > 0 ? heard : (lost.get(server) ?? 0) });
    }
    for (const server of pieces.flatMap(({ goneMachines }) => goneMachines)) machines.delete(server);
  }

  /** What machines that are heard do not say any more. */
  #missing(loads: readonly ThingChange[]): ThingChange[] {
    const { mesh, machines } = this.#target.known;
    const present = new Set(loads.map((change) => `${change.kind} ${subjectOf(change)}`));
    return [...changesOf(mesh)]
      .filter((change) => machines.get(serverOf(change))?.isHeard === true)
      .filter((change) => !present.has(`${change.kind} ${subjectOf(change)}`))
      .map((change) => ({ ...change, facts: undefined }));
  }

  /** What was said by hand of a path lies above, as long as it is good. */
  #paths(pieces: readonly MeshMetrics[]): FactChange[] {
    const { paths } = this.#target.known;
    const ofHand = ({ client, datacenter }: Pick<MeshPath, 'client' | 'datacenter'>): boolean => {
      const known = paths.get(pathKey(client, datacenter));
      return known !== undefined && known.isMeasured !== true && known.expires * 1000 > this.#now();
    };
    const said = pieces.flatMap((piece) => piece.paths).filter((path) => !ofHand(path));
    const gone = pieces.flatMap(({ gonePaths }) => gonePaths).filter((path) => !ofHand(path));
    return [
      ...said.map((path): FactChange => ({ kind: 'path', path: { ...path, isMeasured: true } satisfies PathFacts })),
      ...gone.map((path): FactChange => ({ kind: 'forget-path', ...path })),
    ];
  }
}

const serverOf = (change: ThingChange): string =>
  change.kind === 'virtual-server' ? splitVirtualServerKey(change.key).server : subjectOf(change);

function forgotten(kind: MeshLoad['kind'], key: string): ThingChange {
  return kind === 'server' ? { kind, name: key, facts: undefined } : { kind, key, facts: undefined };
}

function loadChange({ kind, key, ...numbers }: MeshLoad): ThingChange {
  const { connections, packetsPerSecond, kilobytesPerSecond, capacity, score, cpu, memoryAvailable } = numbers;
  const load = {
    ...(connections !== undefined && { connections }),
    ...(packetsPerSecond !== undefined && { packetsPerSecond }),
    ...(kilobytesPerSecond !== undefined && { kilobytesPerSecond }),
  };
  if (kind === 'server') {
    const facts: ServerFacts = {
      ...load,
      ...(cpu !== undefined && { cpu }),
      ...(memoryAvailable !== undefined && { memoryAvailable }),
    };
    return { kind, name: key, facts };
  }
  const facts: VirtualServerFacts = {
    ...load,
    ...(capacity !== undefined && { capacity }),
    ...(score !== undefined && { score }),
  };
  return { kind, key, facts };
}
