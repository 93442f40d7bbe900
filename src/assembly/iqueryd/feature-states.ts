// States of virtual servers and pool members, and verdicts of monitors: what healthd here says goes out to other machines, and what those
// say goes to healthd.
//
//   healthd ─ local-states, health-reports ─► published records ─► peers
//   peers ─► their records, whether they are connected, when they were heard ─► mesh-states ─► healthd

import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { MAX_REASON } from '../../health/rule-verdict.ts';
import type { PeerCondition, PeerServer } from '../../iquery/mesh-feature.ts';
import type { Channel, RecordMessage, RecordOf } from '../../iquery/messages.ts';
import type { MeshServer, MeshVerdict, MeshVirtual } from '../../ipc/mesh-schema.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import type { FeatureContext, IqueryFeature, IqueryWant } from './feature.ts';
import { LocalRecords } from './local-records.ts';
import type { LoadSource } from './load-source.ts';
import { type MeshStatesPublisher, newMeshStatesPublisher, type Said, type SaidName } from './mesh-states-publisher.ts';

const CHANNELS: readonly Channel[] = ['vs', 'verdict'];
/** Of one kind, of one machine. */
const MOST_OF_A_PEER = 50_000;
/** How often it is told when machines were heard. */
const REVIEW_MS = 1000;

type Peer = {
  server: MeshServer;
  /** When it was heard last, which is told once in a while. */
  heard: number;
  readonly virtuals: Map<string, MeshVirtual>;
  readonly verdicts: Map<string, MeshVerdict>;
  /** What it had too much of was said. */
  isTooMuch: boolean;
};

export class StatesFeature implements IqueryFeature {
  readonly channels = CHANNELS;
  readonly handlers: NonNullable<IqueryFeature['handlers']>;
  readonly #log: Log;
  readonly #local: LocalRecords;
  readonly #publisher: MeshStatesPublisher;
  readonly #peers = new Map<string, Peer>();
  #review: NodeJS.Timeout | undefined;

  constructor(
    { mesh, state, clock, log }: Pick<FeatureContext, 'mesh' | 'state' | 'clock' | 'log'>,
    loads?: LoadSource,
  ) {
    this.#log = log;
    this.#local = new LocalRecords({ mesh, healthd: daemonSocket(state, 'healthd'), clock, log, loads });
    this.#publisher = newMeshStatesPublisher(() => this.#all());
    this.handlers = { 'mesh-states': (_params, { signal }) => this.#publisher.subscribe(signal) };
  }

  want({ peers }: Pick<IqueryWant, 'peers'>): void {
    const wanted = othersOf(peers);
    const gone: SaidName[] = [];
    for (const [name, peer] of this.#peers) {
      if (wanted.has(name)) continue;
      this.#peers.delete(name);
      gone.push({ kind: 'server', name }, ...virtualNames(name, peer.virtuals), ...verdictNames(name, peer.verdicts));
    }
    const said: Said[] = [];
    for (const name of wanted)
      if (!this.#peers.has(name)) said.push({ kind: 'server', said: this.#peerOf(name).server });
    if (gone.length > 0 || said.length > 0) this.#publisher.publish(said, gone);
  }

  start(): void {
    this.#local.start();
    this.#review = setInterval(() => this.#tellHeard(), REVIEW_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#review);
    await this.#local.stop();
  }

  onCondition(name: string, condition: PeerCondition): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    const { server } = peer;
    const isConnected = condition.state === 'connected' || condition.state === 'stranger';
    const said: MeshServer = {
      ...{ server: name, isConnected, heard: peer.heard, hasTold: server.hasTold },
      reason: isConnected ? '' : reasonOf(condition, server.reason),
      ...(condition.state === 'stranger' && { isStranger: true as const }),
    };
    peer.server = said;
    this.#publisher.publish([{ kind: 'server', said }]);
  }

  onWhole(name: string, channel: Channel, records: readonly RecordMessage[]): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    const said: Said[] = [];
    const gone: SaidName[] = [];
    if (channel === 'vs') {
      const before = new Map(peer.virtuals);
      peer.virtuals.clear();
      for (const record of records) {
        if (record.message !== 'vs' || this.#isTooMuch(name, peer, peer.virtuals, 'virtual servers')) continue;
        const virtual = virtualOf(name, record);
        peer.virtuals.set(virtual.name, virtual);
        before.delete(virtual.name);
        said.push({ kind: 'virtual', said: virtual });
      }
      gone.push(...virtualNames(name, before));
      peer.server = { ...peer.server, hasTold: true };
      said.push({ kind: 'server', said: peer.server });
    } else if (channel === 'verdict') {
      const before = new Map(peer.verdicts);
      peer.verdicts.clear();
      for (const record of records) {
        if (record.message !== 'verdict' || this.#isTooMuch(name, peer, peer.verdicts, 'verdicts')) continue;
        const verdict = verdictOf(name, record);
        peer.verdicts.set(`${verdict.kind} ${verdict.key}`, verdict);
        before.delete(`${verdict.kind} ${verdict.key}`);
        said.push({ kind: 'verdict', said: verdict });
      }
      gone.push(...verdictNames(name, before));
    }
    if (said.length > 0 || gone.length > 0) this.#publisher.publish(said, gone);
  }

  onRecord(name: string, record: RecordMessage): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    if (record.message === 'vs') {
      const virtual = virtualOf(name, record);
      const { virtuals } = peer;
      if (!virtuals.has(virtual.name) && this.#isTooMuch(name, peer, virtuals, 'virtual servers')) return;
      const isNews = isOther(virtuals.get(virtual.name), virtual);
      virtuals.set(virtual.name, virtual);
      if (isNews) this.#publisher.publish([{ kind: 'virtual', said: virtual }]);
    } else if (record.message === 'verdict') {
      const verdict = verdictOf(name, record);
      const key = `${verdict.kind} ${verdict.key}`;
      if (!peer.verdicts.has(key) && this.#isTooMuch(name, peer, peer.verdicts, 'verdicts')) return;
      peer.verdicts.set(key, verdict);
      this.#publisher.publish([{ kind: 'verdict', said: verdict }]);
    }
  }

  /** `key`: as `recordKey` makes it. */
  onForgotten(name: string, channel: Channel, key: string): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    if (channel === 'vs') {
      if (peer.virtuals.delete(key)) this.#publisher.publish([], [{ kind: 'virtual', server: name, name: key }]);
    } else if (channel === 'verdict') {
      const verdict = peer.verdicts.get(key.replace('\t', ' '));
      if (verdict === undefined) return;
      peer.verdicts.delete(`${verdict.kind} ${verdict.key}`);
      this.#publisher.publish([], [{ kind: 'verdict', server: name, of: verdict.kind, key: verdict.key }]);
    }
  }

  onHeard(name: string, at: number): void {
    const peer = this.#peers.get(name);
    if (peer !== undefined) peer.heard = Math.max(peer.heard, at);
  }

  *#all(): Generator<Said, void> {
    for (const { server, heard } of this.#peers.values()) yield { kind: 'server', said: { ...server, heard } };
    for (const { virtuals, verdicts } of this.#peers.values()) {
      for (const said of virtuals.values()) yield { kind: 'virtual', said };
      for (const said of verdicts.values()) yield { kind: 'verdict', said };
    }
  }

  #tellHeard(): void {
    const said: Said[] = [];
    for (const peer of this.#peers.values()) {
      if (peer.server.heard === peer.heard) continue;
      peer.server = { ...peer.server, heard: peer.heard };
      said.push({ kind: 'server', said: peer.server });
    }
    if (said.length > 0) this.#publisher.publish(said);
  }

  #peerOf(server: string): Peer {
    const peer: Peer = {
      server: { server, isConnected: false, reason: 'it has not been connected yet', heard: 0, hasTold: false },
      ...{ heard: 0, virtuals: new Map(), verdicts: new Map(), isTooMuch: false },
    };
    this.#peers.set(server, peer);
    return peer;
  }

  #isTooMuch(name: string, peer: Peer, { size }: ReadonlyMap<string, unknown>, what: string): boolean {
    if (size < MOST_OF_A_PEER) return false;
    if (!peer.isTooMuch) {
      logEvent(this.#log, 'mesh-records', `${name} says more than ${MOST_OF_A_PEER} ${what}: the rest is left out`);
    }
    peer.isTooMuch = true;
    return true;
  }
}

/** Servers of others, by name. */
function othersOf(peers: readonly PeerServer[]): Set<string> {
  return new Set(peers.filter(({ isThisMachine }) => !isThisMachine).map(({ server }) => server));
}

/** While it is tried again the reason of the last failure stays. */
function reasonOf(condition: PeerCondition, before: string): string {
  if (!('reason' in condition)) return before;
  return condition.state === 'connecting' && before !== '' ? before : condition.reason;
}

const short = (reason: string): string => reason.slice(0, MAX_REASON);

function virtualOf(server: string, record: RecordOf<'vs'>): MeshVirtual {
  const { name, address, port, availability, state, reason, since, score } = record;
  return {
    ...{ server, name, address, port, availability, state, reason: short(reason), since },
    ...(score !== undefined && { score }),
  };
}

function verdictOf(
  server: string,
  { kind, name, status, reason, since, good_for: goodFor }: RecordOf<'verdict'>,
): MeshVerdict {
  return { server, kind, key: name, status, reason: short(reason), since, goodFor };
}

function isOther(a: MeshVirtual | undefined, b: MeshVirtual): boolean {
  return a === undefined || (Object.keys(b) as (keyof MeshVirtual)[]).some((key) => a[key] !== b[key]);
}

function virtualNames(server: string, virtuals: ReadonlyMap<string, MeshVirtual>): SaidName[] {
  return [...virtuals.keys()].map((name) => ({ kind: 'virtual', server, name }));
}

function verdictNames(server: string, verdicts: ReadonlyMap<string, MeshVerdict>): SaidName[] {
  return [...verdicts.values()].map(({ kind, key }) => ({ kind: 'verdict', server, of: kind, key }));
}
