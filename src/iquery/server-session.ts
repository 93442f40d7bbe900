// One connection with somebody who dialled this machine: it is greeted, and told what is published once it has subscribed.
//
// Who never subscribes, as the gtmd of a BIG-IP, is kept, and told nothing behind the greeting.

import { logEvent } from '../core/log-codes.ts';
import type { Subscriber } from './mesh-feature.ts';
import type { ChannelEvents, MessageChannel } from './mesh-transport.ts';
import {
  type Channel,
  type ControlMessage,
  GRAMMAR_VERSION,
  isRequest,
  type Message,
  type ReplyMessage,
} from './messages.ts';
import { Outlet } from './outlet.ts';
import type { Publication, PublicationReader } from './publication.ts';
import { noCounts, type SessionContext, type SessionCounts, speakerOf } from './session-context.ts';

type Subscribe = Extract<ControlMessage, { message: 'subscribe' }>;
type Heartbeat = Extract<ControlMessage, { message: 'heartbeat' }>;

/** Messages in one call of the channel, and pieces of answers among them. */
const BATCH = 256;
const REPLIES_OF_A_BATCH = 4;
/** Answers that wait; a piece is 32 kB. */
const MOST_REPLIES = 512;
/** The longest interval that a client may have been given: its own is not known here. */
const LONGEST_INTERVAL_MS = 10_000;
const MISSED = 3;
/** Channels of a group: nobody else's business. */
const GROUP_CHANNELS: readonly Channel[] = ['config', 'zone_file'];

export type ServerSessionOwner = {
  /** For the first time. */
  subscribed(session: ServerSession, subscriber: Subscriber): void;
  ended(session: ServerSession, reason: string): void;
};

export class ServerSession {
  readonly id: number;
  readonly address: string;
  readonly channel: MessageChannel;
  /** `Clock.wall` at which it came. */
  readonly since: number;
  readonly #context: SessionContext;
  readonly #publication: Publication;
  readonly #owner: ServerSessionOwner;
  readonly #outlet: Outlet;
  readonly #counts: SessionCounts = noCounts();
  #subscriber: Subscriber | undefined;
  #reader: PublicationReader | undefined;
  readonly #replies: ReplyMessage[] = [];
  #isCompressed = false;
  /** It speaks the grammar, and sends heartbeats: its silence means something. */
  #hasHeart = false;
  #heartbeats = 0;
  #sentHeartbeatAt = 0;
  #echo: number | undefined;
  #heardAt: number;
  #hasEnded = false;

  constructor(
    id: number,
    from: string,
    channel: MessageChannel,
    context: SessionContext,
    publication: Publication,
    owner: ServerSessionOwner,
  ) {
    this.id = id;
    this.address = from;
    this.channel = channel;
    this.#context = context;
    this.#publication = publication;
    this.#owner = owner;
    this.#outlet = new Outlet(channel, this.#counts);
    this.since = context.clock.wall();
    this.#heardAt = context.clock.now();
  }

  readonly events: ChannelEvents = {
    opened: () => undefined,
    heard: () => {
      this.#heardAt = this.#context.clock.now();
    },
    message: (message) => {
      if (!this.#hasEnded) this.#take(message);
    },
    unknown: (name) => {
      this.#counts.unknown++;
      if (!this.#context.saidOnce.isNew(this.address, name)) return;
      logEvent(this.#context.log, 'iquery-unknown-element', `${this.name} sends <${name}>, which is skipped`);
    },
    drained: () => {
      this.#outlet.drained();
      this.pump();
    },
    closed: (reason) => this.#end(reason),
  };

  /** Who has subscribed. */
  get subscriber(): Subscriber | undefined {
    return this.#subscriber;
  }

  /** For a log line. */
  get name(): string {
    return this.#subscriber === undefined ? this.address : `${this.#subscriber.device} (${this.address})`;
  }

  get isBacklogged(): boolean {
    return this.#outlet.isFull;
  }

  get counts(): SessionCounts {
    this.#counts.octetsIn = this.channel.octetsIn;
    this.#counts.octetsOut = this.channel.octetsOut;
    return this.#counts;
  }

  /** Milliseconds since something was heard. */
  silentFor(now: number): number {
    return now - this.#heardAt;
  }

  greet(): void {
    const { self, clock } = this.#context;
    const greeting: Message[] = [
      { message: 'version', value: self.version },
      { message: 'big3d', value: self.big3d },
      { message: 'connection_id', value: String(this.id) },
      { message: 'offer', ...speakerOf(this.#context) },
    ];
    this.#outlet.send(greeting, clock.now());
  }

  /** Sends what has not been sent, while the channel takes it. */
  pump(): void {
    if (this.#reader === undefined || this.#hasEnded) return;
    const batch: Message[] = [];
    while (!this.#outlet.isFull && !(this.#reader.isDone && this.#replies.length === 0)) {
      batch.length = 0;
      this.#reader.read(batch, BATCH);
      if (this.#replies.length > 0) batch.push(...this.#replies.splice(0, REPLIES_OF_A_BATCH));
      // What was changed and is not for this subscriber leaves nothing to be sent.
      if (batch.length > 0) this.#outlet.send(batch, this.#context.clock.now());
    }
  }

  /** False: it takes no more. */
  reply(message: ReplyMessage): boolean {
    if (this.#reader === undefined || this.#hasEnded) return false;
    if (this.#replies.length >= MOST_REPLIES) {
      this.#counts.dropped++;
      return false;
    }
    this.#replies.push(message);
    this.pump();
    return true;
  }

  /** The group of this machine, or what it is, has changed. */
  settingsChanged(): void {
    this.#reader?.allow(this.#allowance());
    this.pump();
  }

  tick(now: number): void {
    const { settings } = this.#context;
    const limit = MISSED * Math.max(settings.heartbeatMs, LONGEST_INTERVAL_MS);
    if (this.#hasHeart && now - this.#heardAt >= limit) this.close(`nothing was heard for ${limit / 1000} s`);
    else if (this.#outlet.isStalled(now)) this.close('it takes nothing');
    else if (this.#hasHeart && now - this.#sentHeartbeatAt >= settings.heartbeatMs) this.#sendHeartbeat(now);
  }

  forgive(milliseconds: number): void {
    this.#heardAt += milliseconds;
    this.#outlet.forgive(milliseconds);
  }

  /** Says goodbye; the owner is told. */
  close(reason: string): void {
    if (this.#hasEnded) return;
    if (this.#hasHeart && !this.#outlet.isFull) this.channel.send([{ message: 'bye', reason }]);
    this.channel.close(reason);
    this.#end(reason);
  }

  #take(message: Message): void {
    this.#counts.messagesIn++;
    if (message.message === 'subscribe') this.#subscribe(message);
    else if (message.message === 'heartbeat') this.#answer(message);
    else if (message.message === 'bye') {
      this.channel.close('it said goodbye');
      this.#end(`it said goodbye: ${message.reason}`);
    } else if (this.#subscriber !== undefined && isRequest(message)) {
      this.#context.features.request(this.#subscriber, message);
    } else this.#counts.unexpected++;
  }

  #subscribe(message: Subscribe): void {
    const { clock, log, saidOnce, transport } = this.#context;
    if (message.grammar !== GRAMMAR_VERSION) {
      const said = `${message.device} (${this.address}) subscribes in grammar ${message.grammar}`;
      if (saidOnce.isNew(this.address, `grammar ${message.grammar}`)) {
        logEvent(log, 'iquery-other-grammar', `${said}; this machine speaks ${GRAMMAR_VERSION}: it is told nothing`);
      }
      return;
    }
    this.#hasHeart = true;
    this.#subscriber = {
      ...{ id: this.id, device: message.device, deviceId: message.device_id, address: this.address },
      ...{ syncGroup: message.sync_group, isGtm: message.is_gtm },
    };
    if (!this.#isCompressed && transport.compression.includes('gzip') && message.compression.includes('gzip')) {
      this.#isCompressed = true;
      this.#outlet.send([{ message: 'compress', method: 'gzip' }], clock.now());
    }
    if (this.#reader !== undefined) this.#reader.allow(this.#allowance());
    else {
      this.#reader = this.#publication.read(this.#allowance());
      this.#owner.subscribed(this, this.#subscriber);
    }
    this.pump();
  }

  /** What the subscriber may be told, as it is now. */
  #allowance(): (channel: Channel) => boolean {
    const { settings } = this.#context;
    const isMember =
      settings.isGtm && this.#subscriber?.isGtm === true && this.#subscriber.syncGroup === settings.syncGroup;
    return isMember ? () => true : (channel) => !GROUP_CHANNELS.includes(channel);
  }

  /** At once, because the client knows by that, in its own interval, that this side lives. */
  #answer(message: Heartbeat): void {
    this.#hasHeart = true;
    this.#echo = message.time;
    this.#sendHeartbeat(this.#context.clock.now());
  }

  #sendHeartbeat(now: number): void {
    this.#sentHeartbeatAt = now;
    // What waits is enough to be heard by, once it is taken.
    if (this.#outlet.isFull) return;
    const time = this.#context.clock.wall();
    this.#outlet.send([{ message: 'heartbeat', number: ++this.#heartbeats, time, echo: this.#echo }], now);
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#reader?.close();
    this.#reader = undefined;
    this.#replies.length = 0;
    this.#owner.ended(this, reason);
  }
}
