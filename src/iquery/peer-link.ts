// One address that is dialled: its connection, or the wait until the next attempt, and what has become of all of them so far.

import { logEvent } from '../core/log-codes.ts';
import { BackOff } from './back-off.ts';
import { ClientSession, type ClientSessionOwner, type PeerIdentity } from './client-session.ts';
import type { PeerCondition, PeerServer } from './mesh-feature.ts';
import type { ChannelCertificate } from './mesh-transport.ts';
import { noCounts, type SessionContext, type SessionCounts, sumOfCounts } from './session-context.ts';

/** Another reason for which it cannot be connected is worth a line, but not more often than that. */
const REASON_LINE_MS = 60_000;

export type PeerLinkOwner = {
  /** It is to be dialled in so many milliseconds. */
  wait(link: PeerLink, milliseconds: number): void;
  /** Its condition is another one. */
  changed(link: PeerLink): void;
  /** It is connected, after it could not be, or had been lost. */
  recovered(link: PeerLink): void;
};

/** Of one address, for whoever looks. Times in milliseconds since 1970. */
export type PeerSnapshot = {
  readonly peer: PeerServer;
  readonly condition: PeerCondition;
  /** Whether its server is heard by it. */
  readonly isActive: boolean;
  readonly identity: PeerIdentity;
  readonly connectedSince?: number;
  readonly lastHeard?: number;
  /** Positive: its clock is ahead. */
  readonly clockSkewMs?: number;
  readonly roundTripMs?: number;
  readonly attempts: number;
  readonly reconnects: number;
  readonly counts: SessionCounts;
  /** Until the next attempt. */
  readonly waitMs?: number;
  readonly certificate?: ChannelCertificate;
};

export class PeerLink implements ClientSessionOwner {
  peer: PeerServer;
  readonly #context: SessionContext;
  readonly #owner: PeerLinkOwner;
  readonly #backOff: BackOff;
  #session: ClientSession | undefined;
  #condition: PeerCondition;
  #identity: PeerIdentity = {};
  #colour: 'blue' | 'green' | 'red' = 'blue';
  #isRecovering = false;
  #attempts = 0;
  #connections = 0;
  #past: SessionCounts = noCounts();
  #lastHeard: number | undefined;
  #saidReason = '';
  #saidAt = 0;
  /** `Clock.now` at which it was last dialled sooner than its turn. */
  hurriedAt = -Infinity;
  /** The attempt that is on its way is followed by another soon. */
  isHurried = false;

  constructor(peer: PeerServer, context: SessionContext, random: () => number, owner: PeerLinkOwner) {
    this.peer = peer;
    this.#context = context;
    this.#owner = owner;
    this.#backOff = new BackOff(random);
    this.#condition = { state: 'connecting', since: context.clock.wall(), reason: 'not dialled yet' };
  }

  get condition(): PeerCondition {
    return this.#condition;
  }

  get session(): ClientSession | undefined {
    return this.#session;
  }

  /** Its grammar is understood. */
  get isConnected(): boolean {
    return this.#condition.state === 'connected' || this.#condition.state === 'backlogged';
  }

  /** Whether an attempt has come to nothing, or a connection was lost, since it was last connected. */
  get isRecovering(): boolean {
    return this.#isRecovering;
  }

  /** What it said of itself at last. */
  get identity(): PeerIdentity {
    return this.#session === undefined || this.#session.state === 'connecting'
      ? this.#identity
      : this.#session.identity;
  }

  dial(): void {
    if (this.#session !== undefined) return;
    this.#attempts++;
    // Until it has failed once, it is connecting; later it is what it was, until that changes.
    if (!this.#isRecovering) this.#set({ state: 'connecting', since: this.#context.clock.wall(), reason: 'dialled' });
    this.#session = new ClientSession(this.#context, this);
  }

  changed(session: ClientSession): void {
    const since = this.#context.clock.wall();
    if (session.state === 'backlogged') this.#set({ state: 'backlogged', since, reason: 'it takes nothing' });
    if (session.state !== 'connected' && session.state !== 'stranger') return;
    const isBack = this.#isRecovering;
    this.#isRecovering = false;
    this.isHurried = false;
    if (this.#colour !== 'green') this.#connections++;
    this.#turn('green', session.state === 'stranger' ? 'its messages are not known, and not decoded' : 'connected');
    this.#set({ state: session.state, since });
    if (isBack) this.#owner.recovered(this);
  }

  ended(session: ClientSession, reason: string): void {
    this.#remember(session);
    this.#session = undefined;
    this.#isRecovering = true;
    this.#turn('red', reason);
    this.#owner.wait(this, this.#backOff.waitAfter(session.lastedFor(this.#context.clock.now())));
    this.#set({ state: 'not-connected', since: this.#context.clock.wall(), reason });
  }

  /** It is not dialled any more. */
  close(reason: string): void {
    const session = this.#session;
    this.#session = undefined;
    session?.close(reason);
  }

  snapshot(isActive: boolean, waitMs: number | undefined): PeerSnapshot {
    const { clock } = this.#context;
    const session = this.#session;
    const lasted = session?.lastedFor(clock.now()) ?? 0;
    const lastHeard = lasted > 0 ? clock.wall() - session!.silentFor(clock.now()) : this.#lastHeard;
    return {
      ...{ peer: this.peer, condition: this.#presentCondition(), isActive, identity: this.identity },
      ...{ attempts: this.#attempts, reconnects: Math.max(0, this.#connections - 1) },
      counts: sumOfCounts(this.#past, session?.counts),
      ...(lasted > 0 ? { connectedSince: clock.wall() - lasted } : {}),
      ...(lastHeard === undefined ? {} : { lastHeard }),
      ...(session?.skew.skewMs === undefined ? {} : { clockSkewMs: session.skew.skewMs }),
      ...(session?.skew.roundTripMs === undefined ? {} : { roundTripMs: session.skew.roundTripMs }),
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(session?.channel.certificate === undefined ? {} : { certificate: session.channel.certificate }),
    };
  }

  /** With each attempt, which features do not hear of. */
  #presentCondition(): PeerCondition {
    const isTrying = this.#session?.state === 'connecting' || this.#session?.state === 'greeting';
    if (!isTrying || this.#condition.state !== 'not-connected') return this.#condition;
    return { ...this.#condition, state: 'connecting' };
  }

  #remember(session: ClientSession): void {
    const { clock } = this.#context;
    this.#past = sumOfCounts(this.#past, session.counts);
    if (session.lastedFor(clock.now()) === 0) return;
    this.#identity = session.identity;
    this.#lastHeard = clock.wall() - session.silentFor(clock.now());
  }

  #set(condition: PeerCondition): void {
    const before = this.#condition;
    const isSame = before.state === condition.state && reasonOf(before) === reasonOf(condition);
    // Attempt by attempt it stays what it has been since it was lost.
    if (!isSame) {
      this.#condition = before.state === condition.state ? { ...condition, since: before.since } : condition;
    }
    this.#owner.changed(this);
  }

  #turn(colour: 'green' | 'red', reason: string): void {
    const { clock, log } = this.#context;
    const { server, address } = this.peer;
    const before = this.#colour;
    this.#colour = colour;
    const now = clock.now();
    if (before !== colour) {
      const code = colour === 'green' ? 'iquery-box-green' : 'iquery-box-red';
      const change = `SNMP_TRAP: Box ${address} state change ${before} --> ${colour}`;
      logEvent(log, code, `${change} (${server}: ${reason})`, { server, address });
    } else if (colour === 'red' && reason !== this.#saidReason && now - this.#saidAt >= REASON_LINE_MS) {
      logEvent(log, 'iquery-not-connected', `${server} at ${address} is still not connected: ${reason}`, {
        server,
        address,
      });
    } else return;
    this.#saidReason = reason;
    this.#saidAt = now;
  }
}

export function reasonOf(condition: PeerCondition): string {
  return 'reason' in condition ? condition.reason : '';
}
