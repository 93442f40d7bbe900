// What is known of loads and paths, for dnsd: kept by what it is about, and told when it differs.

import type { MeshLoad, MeshMachine, MeshMetrics, MeshPath } from '../../ipc/mesh-schema.ts';
import { ReportPublisher } from '../report-publisher.ts';

/** A message stays below its limit with the longest names. */
const PER_REPORT = 100;

type Load = Pick<MeshLoad, 'kind' | 'key'>;
type Path = Pick<MeshPath, 'client' | 'datacenter'>;

type Named = { readonly machine: string } | { readonly load: Load } | { readonly path: Path };
type Said =
  | { readonly machine: string; readonly said: MeshMachine }
  | { readonly load: Load; readonly said: MeshLoad }
  | { readonly path: Path; readonly said: MeshPath };

export class MetricsPublisher {
  readonly #all = new Map<string, Said>();
  readonly #publisher = new ReportPublisher<Said, Named, MeshMetrics>({
    all: () => this.#all.values(),
    keyOf: nameOf,
    reportOf: (said, gone, place) => ({ ...place, ...partsOf(said), ...gonePartsOf(gone) }),
    perReport: PER_REPORT,
  });

  setMachine(said: MeshMachine): void {
    this.#set({ machine: said.server, said });
  }

  forgetMachine(server: string): void {
    this.#forget({ machine: server });
  }

  setLoad(said: MeshLoad): void {
    this.#set({ load: { kind: said.kind, key: said.key }, said });
  }

  forgetLoad({ kind, key }: Load): void {
    this.#forget({ load: { kind, key } });
  }

  setPath(said: MeshPath): void {
    this.#set({ path: { client: said.client, datacenter: said.datacenter }, said });
  }

  forgetPath({ client, datacenter }: Path): void {
    this.#forget({ path: { client, datacenter } });
  }

  /** Ends when the caller goes, or has stopped reading. */
  subscribe(signal: AbortSignal): AsyncGenerator<MeshMetrics, void> {
    return this.#publisher.subscribe(signal);
  }

  #set(said: Said): void {
    const name = nameOf(said);
    const before = this.#all.get(name);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(said)) return;
    this.#all.set(name, said);
    this.#publisher.publish([said]);
  }

  #forget(named: Named): void {
    if (this.#all.delete(nameOf(named))) this.#publisher.publish([], [named]);
  }
}

function nameOf(named: Named): string {
  if ('machine' in named) return `machine ${named.machine}`;
  if ('load' in named) return `${named.load.kind} ${named.load.key}`;
  return `path ${named.path.client} ${named.path.datacenter}`;
}

function partsOf(all: readonly Said[]): Pick<MeshMetrics, 'machines' | 'loads' | 'paths'> {
  return {
    machines: all.flatMap((each) => ('machine' in each ? [each.said] : [])),
    loads: all.flatMap((each) => ('load' in each ? [each.said] : [])),
    paths: all.flatMap((each) => ('path' in each ? [each.said] : [])),
  };
}

function gonePartsOf(all: readonly Named[]): Pick<MeshMetrics, 'goneMachines' | 'goneLoads' | 'gonePaths'> {
  return {
    goneMachines: all.flatMap((each) => ('machine' in each ? [each.machine] : [])),
    goneLoads: all.flatMap((each) => ('load' in each ? [each.load] : [])),
    gonePaths: all.flatMap((each) => ('path' in each ? [each.path] : [])),
  };
}
