// What iqueryd says of other machines. Time in which iqueryd itself is away is nobody's silence: that is our fault, not theirs.

import type { Clock } from '../../health/clock.ts';
import type { SeenVirtual } from '../../health/bigip-view.ts';
import { durationText } from '../../health/explain-watch.ts';
import type { PeerTimes } from '../../health/peer-view.ts';
import { HEALTH_BEAT_MS } from '../../ipc/healthd-schema.ts';
import type { MeshServer, MeshState, MeshVerdict, MeshVirtual } from '../../ipc/mesh-schema.ts';
import type { ReportTarget } from '../report-follower.ts';

/** Without a word for so long iqueryd is away: a beat may be late. */
const AWAY_MS = 3 * HEALTH_BEAT_MS;
/** A prober that was connected a moment ago may be back at once. */
const PROBER_GRACE_MS = 3000;
const MS_PER_SECOND = 1000;

export type MeshChange = {
  /** Servers of which something else is known than before. */
  readonly servers: ReadonlySet<string>;
  /** Whether verdicts, or who is connected, are others. */
  readonly isOfProbers: boolean;
};

type Peer = {
  said: MeshServer;
  isListed: boolean;
  wasHeard: boolean;
  /** Of `#time`: when it was heard last, or was listed first. */
  heardAt: number;
  /** Of `#time`: since when it is not connected; undefined: it is. */
  lostAt: number | undefined;
  /** Whether it has ever told all its virtual servers. */
  hasTold: boolean;
  readonly virtuals: Map<string, MeshVirtual>;
  /** Names of those that an iqueryd before said, which stay until it has told all anew. */
  readonly unconfirmed: Set<string>;
  byDestination: ReadonlyMap<string, MeshVirtual> | undefined;
  /** By `KIND KEY`. */
  readonly verdicts: Map<string, MeshVerdict>;
};

export type MeshFactsOptions = {
  readonly clock: Clock;
  readonly changed: (change: MeshChange) => void;
  /** Milliseconds for which what iqueryd said is good when it falls silent. */
  readonly goodFor: () => number;
};

export class MeshFacts implements ReportTarget<MeshState> {
  readonly #options: MeshFactsOptions;
  readonly #peers = new Map<string, Peer>();
  /** Of `Clock.now`. */
  #heardAt: number | undefined;
  /** All the time that iqueryd was away, so far. */
  #awayMs = 0;
  #hasSnapshot = false;

  constructor(options: MeshFactsOptions) {
    this.#options = options;
  }

  heard(): void {
    const now = this.#options.clock.now();
    const gap = now - (this.#heardAt ?? now);
    if (gap > AWAY_MS) this.#awayMs += gap;
    this.#heardAt = now;
  }

  take(pieces: readonly MeshState[], isWhole: boolean): void {
    const servers = new Set<string>();
    let isOfProbers = isWhole;
    if (isWhole) this.#begin(pieces, servers);
    for (const piece of pieces) {
      for (const server of piece.goneServers) {
        const peer = this.#peers.get(server);
        if (peer !== undefined) this.#unlist(peer);
        servers.add(server);
        isOfProbers = true;
      }
      for (const each of piece.servers) {
        if (!this.#takeServer(each)) continue;
        servers.add(each.server);
        isOfProbers = true;
      }
      for (const { server, name } of piece.goneVirtuals) {
        this.#forgetVirtual(server, name);
        servers.add(server);
      }
      for (const each of piece.virtuals) {
        this.#takeVirtual(each);
        servers.add(each.server);
      }
      for (const { server, kind, key } of piece.goneVerdicts) {
        this.#peers.get(server)?.verdicts.delete(`${kind} ${key}`);
        isOfProbers = true;
      }
      for (const each of piece.verdicts) {
        this.#peers.get(each.server)?.verdicts.set(`${each.kind} ${each.key}`, each);
        isOfProbers = true;
      }
    }
    for (const peer of this.#peers.values()) if (peer.said.hasTold) dropUnconfirmed(peer);
    this.#hasSnapshot ||= isWhole;
    if (servers.size > 0 || isOfProbers) this.#options.changed({ servers, isOfProbers });
  }

  staleFor(): number | undefined {
    if (this.#heardAt === undefined) return undefined;
    const silence = this.#silence();
    return silence >= this.#options.goodFor() ? silence / MS_PER_SECOND : undefined;
  }

  /** Milliseconds since iqueryd was heard of, while it is away; undefined: it is not. */
  get awayFor(): number | undefined {
    const silence = this.#silence();
    return silence > AWAY_MS ? silence : undefined;
  }

  /** Undefined: iqueryd has never told anything. */
  timesOf(server: string): PeerTimes | undefined {
    if (!this.#hasSnapshot) return undefined;
    const peer = this.#peers.get(server);
    if (peer === undefined) {
      return { isListed: false, isStranger: false, wasHeard: false, hasTold: false, silence: 0 };
    }
    const { isListed, wasHeard, hasTold, heardAt, said } = peer;
    const isStranger = said.isStranger === true && said.isConnected;
    return { isListed, isStranger, wasHeard, hasTold, silence: this.#time() - heardAt };
  }

  /** Why it is not connected, as it was last found; empty: it is. */
  problemOf(server: string): string {
    const peer = this.#peers.get(server);
    if (peer?.isListed !== true) return 'iqueryd does not dial it';
    return peer.said.isConnected ? '' : peer.said.reason;
  }

  /** What a server said last of the virtual server with that destination, or else with one of these names. */
  virtualOf(server: string, address: string, port: number, names: readonly string[]): SeenVirtual | undefined {
    const peer = this.#peers.get(server);
    if (peer === undefined) return undefined;
    peer.byDestination ??= new Map([...peer.virtuals.values()].map((each) => [`${each.address} ${each.port}`, each]));
    const named = names.map((name) => peer.virtuals.get(name)).find((each) => each !== undefined);
    const found = peer.byDestination.get(`${address} ${port}`) ?? named;
    if (found === undefined) return undefined;
    const { name, availability, state, reason } = found;
    return { name, availability, enabled: state, reason };
  }

  /** Why a server's monitors cannot be asked; empty: they can. */
  proberProblem(server: string): string {
    if (!this.#hasSnapshot || this.awayFor !== undefined) return 'iqueryd is not heard';
    const peer = this.#peers.get(server);
    if (peer?.isListed !== true) return 'iqueryd does not dial it';
    if (peer.said.isStranger === true) return 'it speaks another grammar, as a BIG-IP does';
    if (!peer.said.isConnected && this.#time() - (peer.lostAt ?? 0) >= PROBER_GRACE_MS) {
      return `not connected${peer.said.reason === '' ? '' : `: ${peer.said.reason}`}`;
    }
    return '';
  }

  /** How it stands with a server, for a person. */
  describe(server: string): string {
    const away = this.awayFor;
    const iqueryd = away === undefined ? '' : `; iqueryd here has not been heard for ${durationText(away)}`;
    const peer = this.#peers.get(server);
    if (!this.#hasSnapshot || peer === undefined) return `over iQuery: nothing is known of ${server}${iqueryd}`;
    const heard = peer.wasHeard ? `heard ${durationText(this.#time() - peer.heardAt)} ago` : 'never heard';
    const problem = this.problemOf(server);
    const state =
      peer.said.isStranger === true
        ? 'connected, undecoded'
        : problem === ''
          ? 'connected'
          : `not connected (${problem})`;
    return `over iQuery: ${server} is ${state}, ${heard}${iqueryd}`;
  }

  /** Who cannot be asked, which time alone may change. */
  get proberPhase(): string {
    return [...this.#peers.keys()].filter((server) => this.proberProblem(server) !== '').join(' ');
  }

  /** What the monitors of a server found; undefined: it probes no such thing. */
  verdictOf(server: string, kind: string, key: string): MeshVerdict | undefined {
    return this.#peers.get(server)?.verdicts.get(`${kind} ${key}`);
  }

  #silence(): number {
    return this.#heardAt === undefined ? 0 : this.#options.clock.now() - this.#heardAt;
  }

  /** Milliseconds that stand still while iqueryd is away. */
  #time(): number {
    const now = this.awayFor === undefined ? this.#options.clock.now() : this.#heardAt!;
    return now - this.#awayMs;
  }

  /** What is not in a snapshot is gone; but what a machine that is there has said before stays until it has told all anew. */
  #begin(pieces: readonly MeshState[], servers: Set<string>): void {
    const listed = new Map(pieces.flatMap((piece) => piece.servers.map((each) => [each.server, each] as const)));
    for (const [name, peer] of this.#peers) {
      servers.add(name);
      const said = listed.get(name);
      if (said === undefined) this.#unlist(peer);
      peer.verdicts.clear();
      for (const virtual of peer.virtuals.keys()) peer.unconfirmed.add(virtual);
    }
  }

  /** Forgets servers that are not these. */
  retain(servers: ReadonlySet<string>): void {
    for (const name of this.#peers.keys()) if (!servers.has(name)) this.#peers.delete(name);
  }

  /** What was heard of it goes on to count for as long as what is heard is good for. */
  #unlist(peer: Peer): void {
    peer.isListed = false;
    peer.lostAt ??= this.#time();
    peer.said = {
      ...peer.said,
      isConnected: false,
      isStranger: undefined,
      reason: 'iqueryd does not dial it any more',
    };
    peer.verdicts.clear();
  }

  /** Whether anything but the time is another. */
  #takeServer(said: MeshServer): boolean {
    const time = this.#time();
    const heardAt = said.heard === 0 ? -Infinity : time - Math.max(0, this.#options.clock.wall() - said.heard);
    const before = this.#peers.get(said.server);
    const lostAt = said.isConnected ? undefined : (before?.lostAt ?? time);
    if (before === undefined) {
      this.#peers.set(said.server, {
        ...{ said, isListed: true, wasHeard: said.heard > 0, heardAt: said.heard > 0 ? heardAt : time, lostAt },
        ...{ hasTold: said.hasTold, virtuals: new Map(), unconfirmed: new Set<string>() },
        ...{ byDestination: undefined, verdicts: new Map() },
      });
      return true;
    }
    const old = before.said;
    const isSame =
      before.isListed &&
      before.wasHeard === (before.wasHeard || said.heard > 0) &&
      (['isConnected', 'reason', 'isStranger'] as const).every((field) => old[field] === said[field]) &&
      before.hasTold === (before.hasTold || said.hasTold);
    before.said = said;
    before.hasTold ||= said.hasTold;
    before.isListed = true;
    before.lostAt = lostAt;
    if (said.heard > 0 && !before.wasHeard) before.heardAt = heardAt;
    else before.heardAt = Math.max(before.heardAt, heardAt);
    before.wasHeard ||= said.heard > 0;
    return !isSame;
  }

  #takeVirtual(virtual: MeshVirtual): void {
    const peer = this.#peers.get(virtual.server);
    if (peer === undefined) return;
    peer.virtuals.set(virtual.name, virtual);
    peer.unconfirmed.delete(virtual.name);
    peer.byDestination = undefined;
  }

  #forgetVirtual(server: string, name: string): void {
    const peer = this.#peers.get(server);
    if (peer?.virtuals.delete(name) === true) peer.byDestination = undefined;
  }
}

/** It has told all anew. */
function dropUnconfirmed(peer: Peer): void {
  if (peer.unconfirmed.size === 0) return;
  for (const name of peer.unconfirmed) peer.virtuals.delete(name);
  peer.unconfirmed.clear();
  peer.byDestination = undefined;
}
