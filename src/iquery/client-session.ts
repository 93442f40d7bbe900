// One connection that this machine has dialled: greeting, subscription, and what the peer publishes from then on.
//
// Who makes no offer behind its greeting is a stranger: connected and kept, and sent nothing. A connection that is not the one by which its
// server is heard keeps its heartbeats, and is not subscribed: it stands by.

import { logEvent } from '../core/log-codes.ts';
import { ClockSkew } from './clock-skew.ts';
import type { PeerServer } from './mesh-feature.ts';
import type { ChannelEvents, MessageChannel } from './mesh-transport.ts';
import {
  type Channel,
  type ControlMessage,
  GRAMMAR_VERSION,
  isChannel,
  isRecord,
  isReply,
  type Message,
  type RecordMessage,
  type RequestMessage,
} from './messages.ts';
import { Outlet } from './outlet.ts';
import { MOST_RECORDS } from './publication.ts';
import { noCounts, type SessionContext, type SessionCounts, speakerOf } from './session-context.ts';

/** For a connection with its handshake, and for the offer behind it. */
const CONNECT_MS = 10_000;
const OFFER_MS = 5000;
const MISSED = 3;
const LEAST_SILENCE_MS = 3000;
/** Features are told no more often that a peer is heard. */
const HEARD_MS = 1000;
/** It is called backlogged once it has been full for that long: buffers may fill for a moment. */
const BACKLOGGED_MS = 1000;

export type ClientState = 'connecting' | 'greeting' | 'connected' | 'backlogged' | 'stranger';

/** What a peer says of itself. */
export type PeerIdentity = {
  readonly version?: string;
  readonly big3d?: string;
  readonly connectionId?: string;
  readonly device?: string;
  readonly deviceId?: string;
  readonly grammar?: number;
};

export type ClientSessionOwner = {
  readonly peer: PeerServer;
  changed(session: ClientSession): void;
  /** The other side has ended, or is dead; not called after `close`. */
  ended(session: ClientSession, reason: string): void;
};

type Heartbeat = Extract<ControlMessage, { message: 'heartbeat' }>;
type Offer = Extract<ControlMessage, { message: 'offer' }>;

export class ClientSession {
  readonly #context: SessionContext;
  readonly #owner: ClientSessionOwner;
  readonly #channel: MessageChannel;
  readonly #outlet: Outlet;
  readonly #counts: SessionCounts = noCounts();
  readonly skew = new ClockSkew();
  #state: ClientState = 'connecting';
  #identity: PeerIdentity = {};
  #isSubscribed = false;
  /** Channels that are being told whole, with what has come of them. */
  readonly #coming = new Map<Channel, RecordMessage[]>();
  /** `Clock.now` of the beginning of what is waited for, of the last octet, and of the last that features were told of. */
  #phaseAt: number;
  #heardAt: number;
  #toldAt = -Infinity;
  #openedAt: number | undefined;
  #heartbeats = 0;
  #sentHeartbeatAt = -Infinity;
  #echo: number | undefined;
  #hasEnded = false;

  constructor(context: SessionContext, owner: ClientSessionOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#phaseAt = this.#heardAt = context.clock.now();
    this.#channel = context.transport.dial(owner.peer, this.#events);
    this.#outlet = new Outlet(this.#channel, this.#counts);
  }

  get state(): ClientState {
    return this.#state;
  }

  get identity(): PeerIdentity {
    return this.#identity;
  }

  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  get channel(): MessageChannel {
    return this.#channel;
  }

  get counts(): SessionCounts {
    this.#counts.octetsIn = this.#channel.octetsIn;
    this.#counts.octetsOut = this.#channel.octetsOut;
    return this.#counts;
  }

  /** Milliseconds since it was connected; 0: it is not yet. */
  lastedFor(now: number): number {
    return this.#openedAt === undefined ? 0 : now - this.#openedAt;
  }

  silentFor(now: number): number {
    return now - this.#heardAt;
  }

  /** Takes all that the peer publishes, from now on or, when settings have changed, once more as what this machine is now. */
  subscribe(): void {
    const { clock, settings } = this.#context;
    this.#isSubscribed = true;
    const own = { sync_group: settings.syncGroup, is_gtm: settings.isGtm };
    this.#outlet.send([{ message: 'subscribe', ...speakerOf(this.#context), ...own }], clock.now());
    this.#sendHeartbeat(clock.now());
  }

  request(message: RequestMessage): boolean {
    if (!this.#isSubscribed || this.#hasEnded || this.#outlet.isFull) {
      this.#counts.dropped++;
      return false;
    }
    this.#outlet.send([message], this.#context.clock.now());
    return true;
  }

  tick(now: number): void {
    const { heartbeatMs } = this.#context.settings;
    const limit = Math.max(LEAST_SILENCE_MS, MISSED * heartbeatMs);
    const waited = now - this.#phaseAt;
    if (this.#state === 'connecting') {
      if (waited >= CONNECT_MS) this.#fail(`no connection within ${CONNECT_MS / 1000} s`);
    } else if (this.#state === 'greeting') {
      if (waited >= OFFER_MS) this.#setState('stranger');
    } else if (this.#state === 'stranger') {
      // Who has greeted may be silent for as long as it likes: TCP watches over it. Who has not is nobody.
      if (!this.#hasGreeted && now - this.#heardAt >= limit) this.#fail('it is connected, and says nothing');
    } else if (now - this.#heardAt >= limit) this.#fail(`nothing was heard for ${limit / 1000} s`);
    else if (this.#outlet.isStalled(now)) this.#fail('it takes nothing');
    else this.#beat(now);
  }

  forgive(milliseconds: number): void {
    this.#heardAt += milliseconds;
    this.#phaseAt += milliseconds;
    this.#outlet.forgive(milliseconds);
  }

  /** Says goodbye, if it can be understood; the owner is not told. */
  close(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const isUnderstood = this.#state === 'connected' || this.#state === 'backlogged';
    if (isUnderstood && !this.#outlet.isFull) this.#channel.send([{ message: 'bye', reason }]);
    this.#channel.close(reason);
  }

  readonly #events: ChannelEvents = {
    opened: () => {
      this.#openedAt = this.#phaseAt = this.#heardAt = this.#context.clock.now();
      this.#setState('greeting');
    },
    heard: () => {
      if (this.#hasEnded) return;
      this.#heardAt = this.#context.clock.now();
      if (!this.#isSubscribed || this.#heardAt - this.#toldAt < HEARD_MS) return;
      this.#toldAt = this.#heardAt;
      this.#context.features.heard(this.#owner.peer.server, this.#context.clock.wall());
    },
    message: (message) => {
      if (!this.#hasEnded) this.#take(message);
    },
    unknown: (name) => {
      this.#counts.unknown++;
      const { peer } = this.#owner;
      if (!this.#context.saidOnce.isNew(peer.address, name)) return;
      logEvent(
        this.#context.log,
        'iquery-unknown-element',
        `${peer.server} at ${peer.address} sends <${name}>, which is skipped`,
      );
    },
    drained: () => {
      this.#outlet.drained();
      if (this.#state === 'backlogged') this.#setState('connected');
    },
    closed: (reason) => {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      this.#owner.ended(this, reason);
    },
  };

  get #hasGreeted(): boolean {
    return this.#identity.version !== undefined || this.#identity.big3d !== undefined;
  }

  #take(message: Message): void {
    this.#counts.messagesIn++;
    if (isRecord(message)) this.#takeRecord(message);
    else if (isReply(message)) {
      if (this.#isSubscribed) this.#context.features.reply(this.#owner.peer.server, message);
      else this.#counts.unexpected++;
    } else this.#takeControl(message);
  }

  #takeRecord(record: RecordMessage): void {
    if (!this.#isSubscribed) {
      this.#counts.unexpected++;
      return;
    }
    // Looked for only while there is one: most records come on their own.
    const whole = this.#coming.size === 0 ? undefined : this.#coming.get(record.message);
    if (whole === undefined) this.#context.features.record(this.#owner.peer.server, record);
    else if (whole.length < MOST_RECORDS) whole.push(record);
    else this.#fail(`it has more than ${MOST_RECORDS} records of ${record.message}`);
  }

  #takeControl(message: Message): void {
    const { features } = this.#context;
    switch (message.message) {
      case 'version':
        this.#identity = { ...this.#identity, version: message.value };
        return;
      case 'big3d':
        this.#identity = { ...this.#identity, big3d: message.value };
        return;
      case 'connection_id':
        this.#identity = { ...this.#identity, connectionId: message.value };
        return;
      case 'offer':
        this.#takeOffer(message);
        return;
      case 'compress':
        return;
      case 'heartbeat':
        this.#takeHeartbeat(message);
        return;
      case 'bye':
        this.#fail(`it said goodbye: ${message.reason}`);
        return;
      case 'begin':
        if (this.#isSubscribed && isChannel(message.channel)) this.#coming.set(message.channel, []);
        else this.#counts.unexpected++;
        return;
      case 'end': {
        const channel = message.channel as Channel;
        const whole = this.#coming.get(channel);
        if (whole === undefined) this.#counts.unexpected++;
        else {
          this.#coming.delete(channel);
          features.whole(this.#owner.peer.server, channel, whole);
        }
        return;
      }
      case 'forget':
        if (this.#isSubscribed && isChannel(message.channel)) this.#takeForget(message.channel, message.key);
        else this.#counts.unexpected++;
        return;
      default:
        this.#counts.unexpected++;
    }
  }

  #takeForget(channel: Channel, key: string): void {
    // While all there is of it is being told, a key that goes has not been told, or is not told again.
    if (this.#coming.has(channel)) this.#counts.unexpected++;
    else this.#context.features.forgotten(this.#owner.peer.server, channel, key);
  }

  #takeOffer(offer: Offer): void {
    const { log, saidOnce } = this.#context;
    const { peer } = this.#owner;
    this.#identity = {
      ...this.#identity,
      ...{ device: offer.device, deviceId: offer.device_id, grammar: offer.grammar },
    };
    if (this.#state !== 'greeting' && this.#state !== 'stranger') {
      this.#counts.unexpected++;
      return;
    }
    if (offer.grammar !== GRAMMAR_VERSION) {
      if (saidOnce.isNew(peer.address, `grammar ${offer.grammar}`)) {
        const said = `${peer.server} at ${peer.address} speaks grammar ${offer.grammar}`;
        logEvent(
          log,
          'iquery-other-grammar',
          `${said}; this machine speaks ${GRAMMAR_VERSION}: nothing of it is taken`,
        );
      }
      this.#setState('stranger');
      return;
    }
    this.#setState('connected');
  }

  #takeHeartbeat({ time, echo }: Heartbeat): void {
    const { clock, log } = this.#context;
    const { peer } = this.#owner;
    this.#echo = time;
    const news = this.skew.heard(time, echo, clock.wall(), clock.now());
    if (news === undefined || peer.isThisMachine) return;
    const { skewMs = 0 } = this.skew;
    const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
    const who = `the clock of ${peer.server} at ${peer.address}`;
    const where = `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's`;
    if (news === 'right') logEvent(log, 'iquery-clock-right', `${who} is ${where}, which is near enough`);
    else logEvent(log, 'iquery-clock-skew', `${who} is ${where}: let NTP set both`, { skewMs });
  }

  #beat(now: number): void {
    const { fullSince } = this.#outlet;
    if (this.#state === 'connected' && fullSince !== undefined && now - fullSince >= BACKLOGGED_MS) {
      this.#setState('backlogged');
    }
    if (now - this.#sentHeartbeatAt >= this.#context.settings.heartbeatMs) this.#sendHeartbeat(now);
  }

  #sendHeartbeat(now: number): void {
    this.#sentHeartbeatAt = now;
    if (this.#outlet.isFull) return;
    const time = this.#context.clock.wall();
    this.skew.sent(time, now);
    this.#outlet.send([{ message: 'heartbeat', number: ++this.#heartbeats, time, echo: this.#echo }], now);
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#owner.changed(this);
  }

  #fail(reason: string): void {
    if (this.#hasEnded) return;
    this.close(reason);
    this.#owner.ended(this, reason);
  }
}
