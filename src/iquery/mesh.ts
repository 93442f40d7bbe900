// The mesh as this machine sees it: whom it dials and hears, who dials it and is told, and what the features do with that.

import type { Log } from '../core/log.ts';
import { logEvent } from '../core/log-codes.ts';
import { DIAL_GAP_MS, Dialer } from './dialer.ts';
import { FeatureCalls } from './feature-calls.ts';
import type { MeshFeature, MeshPort, PeerCondition, PeerServer, Subscriber } from './mesh-feature.ts';
import type { ChannelEvents, MeshClock, MeshTransport, MessageChannel } from './mesh-transport.ts';
import type { Channel, RecordMessage, RecordOf, ReplyMessage, RequestMessage } from './messages.ts';
import { PeerGroup } from './peer-group.ts';
import { PeerLink, type PeerLinkOwner, type PeerSnapshot } from './peer-link.ts';
import { Publication } from './publication.ts';
import { SaidOnce } from './said-once.ts';
import { ServerSession } from './server-session.ts';
import type { MeshSelf, MeshSettings, SessionContext, SessionCounts } from './session-context.ts';

/** Connections of others; they are trusted, and still no more than that. */
const MOST_SESSIONS = 1024;
const LEAST_HEARTBEAT_MS = 1000;
/** How often deadlines are looked at. */
const TICK_MS = { least: 250, most: 1000, ofHeartbeat: 4 } as const;
/** A tick that is later than that: this process stood still, and has not listened. */
const STOOD_STILL_MS = 2000;
/** Somebody who dials this machine can be dialled: how soon that is tried, and how often at most on account of that. */
const HURRY_MS = 1000;
const HURRY_AGAIN_MS = 10_000;
/** When one is back, others may be: they are tried within so much for each of them. */
const HURRY_EACH_MS = 75;
/** Peers of which the order is not kept at the start. */
const MANY = 20;

export type MeshOptions = {
  readonly clock: MeshClock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly self: MeshSelf;
  readonly transport: MeshTransport;
  readonly features: readonly MeshFeature[];
  readonly log: Log;
};

/** Of somebody who dialled, whether subscribed or not. Times in milliseconds since 1970. */
export type SubscriberSnapshot = {
  readonly id: number;
  readonly address: string;
  readonly subscriber: Subscriber | undefined;
  readonly since: number;
  readonly lastHeard: number;
  readonly isBacklogged: boolean;
  readonly counts: SessionCounts;
};

export type MeshSnapshot = {
  readonly peers: readonly PeerSnapshot[];
  readonly subscribers: readonly SubscriberSnapshot[];
  /** Records that this machine publishes, and those that were too many. */
  readonly published: number;
  readonly refused: number;
};

export class Mesh implements MeshPort {
  readonly #context: SessionContext;
  readonly #random: () => number;
  readonly #publication: Publication;
  readonly #dialer: Dialer<PeerLink>;
  readonly #groups = new Map<string, PeerGroup>();
  /** By server and address. */
  readonly #links = new Map<string, PeerLink>();
  readonly #sessions = new Map<number, ServerSession>();
  #nextId = 1;
  #isPumpDue = false;
  #isFull = false;
  #cancelTick: (() => void) | undefined;
  #tickedAt = 0;
  #hasStopped = false;

  constructor({ clock, random, self, transport, features, log }: MeshOptions) {
    const calls = new FeatureCalls(log);
    this.#random = random;
    this.#context = {
      ...{ clock, log, self, transport, features: calls, saidOnce: new SaidOnce() },
      settings: { heartbeatMs: 10_000, syncGroup: 'default', isGtm: false },
    };
    this.#publication = new Publication(() => this.#pumpSoon());
    this.#dialer = new Dialer(clock, (link) => link.dial());
    for (const feature of features) calls.add(feature);
  }

  /** One that needs the mesh to be made; before peers are wanted, so that it misses nothing. */
  addFeature(feature: MeshFeature): void {
    this.#context.features.add(feature);
  }

  /** Everybody who shall be dialled, the addresses of a server in the order in which they are preferred. */
  wantPeers(peers: readonly PeerServer[], settings: MeshSettings): void {
    this.#setSettings(settings);
    this.#dropLinks(new Set(peers.map(keyOf)));
    const byServer = new Map<string, PeerLink[]>();
    for (const peer of peers) {
      const links = byServer.get(peer.server) ?? [];
      byServer.set(peer.server, links);
      const link = this.#linkOf(peer, peers.length);
      if (!links.includes(link)) links.push(link);
    }
    for (const [server, group] of this.#groups) {
      if (byServer.has(server)) continue;
      this.#groups.delete(server);
      group.end('it is not configured any more');
    }
    for (const [server, links] of byServer) {
      let group = this.#groups.get(server);
      if (group === undefined) {
        group = new PeerGroup(server, this.#context, (deviceId, one) => this.#takenBy(deviceId, one));
        this.#groups.set(server, group);
      }
      group.links = links;
    }
    for (const group of this.#groups.values()) group.evaluate();
    this.#startTicking();
  }

  /** A connection whose other side is trusted; `from` is its address without a port. The channel tells what comes to what this returns. */
  accept(channel: MessageChannel, from: string): ChannelEvents {
    const session = new ServerSession(this.#nextId++, from, channel, this.#context, this.#publication, this.#server);
    if (this.#hasStopped || this.#sessions.size >= MOST_SESSIONS) {
      session.close(this.#hasStopped ? 'iqueryd stops' : `there are ${MOST_SESSIONS} connections already`);
      return session.events;
    }
    this.#sessions.set(session.id, session);
    session.greet();
    this.#startTicking();
    return session.events;
  }

  publish(record: RecordMessage): void {
    this.#publication.publish(record);
    this.#checkFull();
  }

  forget(channel: Channel, key: string): void {
    this.#publication.forget(channel, key);
  }

  publishAll<C extends Channel>(channel: C, records: readonly RecordOf<C>[]): void {
    this.#publication.publishAll(channel, records as unknown as readonly RecordMessage[]);
    this.#checkFull();
  }

  request(server: string, message: RequestMessage): boolean {
    return this.#groups.get(server)?.active?.session?.request(message) ?? false;
  }

  reply(subscriber: number, message: ReplyMessage): boolean {
    return this.#sessions.get(subscriber)?.reply(message) ?? false;
  }

  clockSkewOf(server: string): number | undefined {
    return this.#groups.get(server)?.active?.session?.skew.skewMs;
  }

  get peers(): readonly { readonly peer: PeerServer; readonly condition: PeerCondition }[] {
    return [...this.#links.values()].map(({ peer, condition }) => ({ peer, condition }));
  }

  get subscribers(): readonly Subscriber[] {
    return [...this.#sessions.values()].flatMap(({ subscriber }) => (subscriber === undefined ? [] : [subscriber]));
  }

  snapshot(): MeshSnapshot {
    const { clock } = this.#context;
    return {
      peers: [...this.#links.values()].map((link) =>
        link.snapshot(this.#groups.get(link.peer.server)?.active === link, this.#dialer.waitOf(link)),
      ),
      subscribers: [...this.#sessions.values()].map((session) => ({
        ...{ id: session.id, address: session.address, subscriber: session.subscriber, since: session.since },
        ...{ isBacklogged: session.isBacklogged, counts: session.counts },
        lastHeard: clock.wall() - session.silentFor(clock.now()),
      })),
      published: this.#publication.size,
      refused: this.#publication.refused,
    };
  }

  /** Says goodbye to everybody. */
  stop(): void {
    this.#hasStopped = true;
    this.#dialer.stop();
    this.#cancelTick?.();
    for (const link of this.#links.values()) link.close('iqueryd stops');
    for (const session of [...this.#sessions.values()]) session.close('iqueryd stops');
  }

  #setSettings(settings: MeshSettings): void {
    const before = this.#context.settings;
    const heartbeatMs = Math.max(LEAST_HEARTBEAT_MS, settings.heartbeatMs);
    this.#context.settings = { ...settings, heartbeatMs };
    if (before.syncGroup === settings.syncGroup && before.isGtm === settings.isGtm) return;
    for (const session of this.#sessions.values()) session.settingsChanged();
    for (const { active } of this.#groups.values()) active?.session?.subscribe();
  }

  #linkOf(peer: PeerServer, count: number): PeerLink {
    const key = keyOf(peer);
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new PeerLink(peer, this.#context, this.#random, this.#linkOwner);
      this.#links.set(key, link);
      // In no order if there are many: machines that start together would all dial the same one first.
      this.#dialer.dialIn(link, count < MANY ? 0 : this.#random() * DIAL_GAP_MS * count);
    }
    link.peer = peer;
    return link;
  }

  #dropLinks(wanted: ReadonlySet<string>): void {
    for (const [key, link] of this.#links) {
      if (wanted.has(key)) continue;
      this.#links.delete(key);
      this.#dialer.cancel(link);
      link.close('it is not configured any more');
    }
  }

  readonly #linkOwner: PeerLinkOwner = {
    wait: (link, milliseconds) => {
      // An attempt that was on its way when others came back may have been lost before they did.
      const isHurried = link.isHurried;
      link.isHurried = false;
      this.#dialer.dialIn(link, isHurried ? Math.min(milliseconds, HURRY_MS) : milliseconds);
    },
    changed: (link) => {
      this.#groups.get(link.peer.server)?.evaluate();
      if (link.isConnected) return;
      for (const group of this.#groups.values()) if (group.isBlocked) group.evaluate();
    },
    recovered: () => this.#hurryOthers(),
  };

  readonly #server = {
    subscribed: (session: ServerSession, subscriber: Subscriber): void => {
      this.#replaceOthers(session, subscriber);
      logEvent(this.#context.log, 'iquery-subscribed', `${session.name} has subscribed`);
      this.#hurry(subscriber);
    },
    ended: (session: ServerSession, reason: string): void => {
      this.#sessions.delete(session.id);
      if (session.subscriber === undefined) return;
      logEvent(this.#context.log, 'iquery-unsubscribed', `${session.name} is not told any more: ${reason}`);
    },
  };

  /** A machine is told once: a new connection of it is taken to be made because the old one is dead. */
  #replaceOthers(session: ServerSession, { deviceId }: Subscriber): void {
    for (const other of [...this.#sessions.values()]) {
      if (other === session || deviceId === '' || other.subscriber?.deviceId !== deviceId) continue;
      const why = `a newer connection of the same machine, from ${session.address}, takes its place`;
      logEvent(this.#context.log, 'iquery-replaced', `${other.name}: ${why}`);
      other.close(why);
    }
  }

  /** The subscriber can be reached, it seems: it is dialled, if that is still to come. */
  #hurry({ address, deviceId }: Subscriber): void {
    let isBack = false;
    for (const link of this.#links.values()) {
      const isIt = link.peer.address === address || (deviceId !== '' && link.identity.deviceId === deviceId);
      if (!isIt || !link.isRecovering) continue;
      isBack = true;
      this.#hurryOne(link, HURRY_MS);
    }
    if (isBack) this.#hurryOthers();
  }

  /** What cut off one may have cut off many: they are not left to the longest of waits. */
  #hurryOthers(): void {
    const recovering = [...this.#links.values()].filter((link) => link.isRecovering);
    const within = Math.max(HURRY_MS, HURRY_EACH_MS * recovering.length);
    for (const link of recovering) this.#hurryOne(link, within);
  }

  #hurryOne(link: PeerLink, within: number): void {
    const now = this.#context.clock.now();
    if (now - link.hurriedAt < HURRY_AGAIN_MS) return;
    link.hurriedAt = now;
    link.isHurried = this.#dialer.waitOf(link) === undefined;
    this.#dialer.dialSooner(link, within * this.#random());
  }

  /** The other server by which a device is heard already. */
  #takenBy(deviceId: string, group: PeerGroup): string | undefined {
    if (deviceId === '') return undefined;
    for (const other of this.#groups.values()) {
      if (other !== group && other.active?.identity.deviceId === deviceId) return other.server;
    }
    return undefined;
  }

  /** All that changes in one turn is sent together. */
  #pumpSoon(): void {
    if (this.#isPumpDue || this.#sessions.size === 0) return;
    this.#isPumpDue = true;
    this.#context.clock.setTimer(0, () => {
      this.#isPumpDue = false;
      for (const session of this.#sessions.values()) session.pump();
    });
  }

  #checkFull(): void {
    if (this.#isFull || this.#publication.refused === 0) return;
    this.#isFull = true;
    logEvent(this.#context.log, 'iquery-full', 'more is to be published than others would take: the rest is left out');
  }

  #startTicking(): void {
    if (this.#cancelTick !== undefined || this.#hasStopped) return;
    this.#tickedAt = this.#context.clock.now();
    this.#armTick();
  }

  #armTick(): void {
    const { clock, settings } = this.#context;
    const wait = Math.min(TICK_MS.most, Math.max(TICK_MS.least, settings.heartbeatMs / TICK_MS.ofHeartbeat));
    this.#cancelTick = clock.setTimer(wait, () => {
      this.#armTick();
      this.#tick(wait);
    });
  }

  #tick(wait: number): void {
    const now = this.#context.clock.now();
    const late = now - this.#tickedAt - wait;
    this.#tickedAt = now;
    if (late > STOOD_STILL_MS) {
      for (const { session } of this.#links.values()) session?.forgive(late);
      for (const session of this.#sessions.values()) session.forgive(late);
    }
    for (const { session } of this.#links.values()) session?.tick(now);
    for (const session of this.#sessions.values()) session.tick(now);
  }
}

function keyOf({ server, address }: PeerServer): string {
  return `${server}\t${address}`;
}
