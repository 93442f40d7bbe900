// The configuration of a synchronisation group: publishes which one runs here, gives it to who asks, and takes what counts from others.
//
//   configd ─► report ─► memory ─► record ─► mesh          mesh ─► records of others ─► decision ─► text ─► configd
//
// One thing at a time: what configd reports while something is being taken waits until that is done.

import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import type { ResultOf } from '../../ipc/schema.ts';
import { BASE_CHANGED, type GroupState } from '../../ipc/sync-schema.ts';
import type { MeshPort, PeerCondition, PeerServer, Subscriber } from '../../iquery/mesh-feature.ts';
import type { Channel, RecordMessage, ReplyMessage, RequestMessage } from '../../iquery/messages.ts';
import {
  newMemory,
  withJoined,
  withOverride,
  withReport,
  withTaken,
  type SyncMemory,
} from '../../iquery/sync-memory.ts';
import {
  choose,
  compareRevisions,
  decide,
  printEdits,
  readEdits,
  relate,
  type Revision,
} from '../../iquery/sync-rules.ts';
import { viewSync, type SyncMember, type SyncView } from '../../iquery/sync-status.ts';
import { devicesOf } from './cm-devices.ts';
import type { IqueryFeature, IqueryWant } from './feature.ts';
import type { GroupStore } from './group-store.ts';
import type { SyncRecord, SyncStore } from './sync-file.ts';
import { syncSettings, type SyncSettings } from './sync-settings.ts';
import { IncomingText, packText } from './text-transfer.ts';

export type SyncFeatureOptions = {
  readonly mesh: MeshPort;
  readonly store: GroupStore;
  readonly file: SyncStore;
  /** Name of this machine, for people. */
  readonly hostname: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
};

const REVIEW_MS = 1000;
/** After a failure the same is not tried again before so long. */
const RETRY_MS = 10_000;
/** A packed text stays for others who ask. */
const PACKED_MS = 30_000;
/** How often it is looked whether a subscriber takes more. */
const FULL_MS = 20;

type Peer = { isConnected: boolean; reason: string; revision?: Revision | undefined; isOfGroup: boolean };
type Failure = { readonly what: string; readonly text: string; readonly at: number };

export class SyncFeature implements IqueryFeature {
  readonly channels: readonly Channel[] = ['config', 'server'];
  readonly handlers: Handlers;
  readonly #options: SyncFeatureOptions;
  readonly #peers = new Map<string, Peer>();
  #settings: SyncSettings = syncSettings(undefined);
  #ownServers: ReadonlySet<string> = new Set();
  #dialled: ReadonlySet<string> = new Set();
  #dials: readonly PeerServer[] = [];
  /** What servers say of themselves. */
  readonly #saidOfItself = new Map<string, { readonly name: string; readonly version: string }>();
  #record: SyncRecord | undefined;
  /** Of configd, as it was last heard; `seen` is what the memory has taken of it. */
  #report: GroupState | undefined;
  #seen: GroupState | undefined;
  #unfollow: (() => void) | undefined;
  #cancelReview: (() => void) | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #isStepDue = false;
  #incoming: IncomingText | undefined;
  #failure: Failure | undefined;
  #packed: { readonly digest: string; readonly parts: Promise<readonly string[]>; readonly at: number } | undefined;
  readonly #sending = new Set<number>();
  readonly #said = new Set<string>();
  #hasStopped = false;

  constructor(options: SyncFeatureOptions) {
    this.#options = options;
    this.handlers = {
      'group-state': () => this.#state(),
      'config-sync': ({ direction, group, user }) => this.#inTurn(() => this.#force(direction, group, user)),
    };
  }

  want({ objectsOf, ownServers, peers }: IqueryWant): void {
    const [general] = objectsOf('gtm global-settings general');
    const before = this.#settings;
    this.#settings = syncSettings(general);
    this.#ownServers = ownServers;
    this.#dials = peers;
    this.#dialled = new Set(peers.map(({ server }) => server));
    for (const server of this.#peers.keys()) if (!this.#dialled.has(server)) this.#peers.delete(server);
    if (this.#record === undefined) return;
    if (before.isOn !== this.#settings.isOn || before.group !== this.#settings.group) this.#turnOnOrOff();
    this.#stepSoon();
  }

  start(): void {
    void this.#inTurn(async () => {
      this.#record = await this.#options.file.read();
      this.#turnOnOrOff();
    });
    this.#review();
  }

  async stop(): Promise<void> {
    this.#hasStopped = true;
    this.#cancelReview?.();
    this.#unfollow?.();
    this.#incoming?.fail('iqueryd stops');
    await this.#work;
  }

  onCondition(server: string, condition: PeerCondition): void {
    const peer = this.#peerOf(server);
    peer.isConnected = condition.state === 'connected';
    peer.reason = 'reason' in condition ? condition.reason : condition.state;
    if (!peer.isConnected && this.#incoming?.server === server) this.#incoming.fail('its connection was lost');
    this.#stepSoon();
  }

  onWhole(server: string, channel: Channel, records: readonly RecordMessage[]): void {
    if (channel !== 'config') {
      for (const record of records) this.onRecord(server, record);
      return;
    }
    const peer = this.#peerOf(server);
    peer.revision = undefined;
    peer.isOfGroup = false;
    for (const record of records) this.onRecord(server, record);
    this.#stepSoon();
  }

  onRecord(server: string, record: RecordMessage): void {
    if (record.message === 'server') this.#saidOfItself.set(server, record);
    if (record.message !== 'config') return;
    const peer = this.#peerOf(server);
    const edits = readEdits(record.history);
    peer.isOfGroup = record.sync_group === this.#settings.group;
    const { version, digest, time, changed_by: changedBy } = record;
    peer.revision = edits && { version, digest, time, changedBy, edits };
    this.#stepSoon();
  }

  onForgotten(server: string, channel: Channel): void {
    if (channel !== 'config') return;
    const peer = this.#peerOf(server);
    peer.revision = undefined;
    peer.isOfGroup = false;
    this.#stepSoon();
  }

  onReply(server: string, reply: ReplyMessage): void {
    if (reply.message !== 'config_text' || this.#incoming?.server !== server) return;
    if (reply.digest === this.#incoming.digest) this.#incoming.take(reply);
  }

  onRequest(subscriber: Subscriber, request: RequestMessage): void {
    if (request.message !== 'config_request') return;
    void this.#send(subscriber, request.digest);
  }

  /** For `show cm sync-status`. */
  status(): SyncView {
    const conflict = this.#record?.conflict;
    return viewSync({
      isOn: this.#settings.isOn,
      group: this.#settings.group,
      own: this.#memory?.current.revision,
      members: this.members(),
      taking: this.#incoming?.server,
      failure: this.#failure?.text,
      conflict,
    });
  }

  /** Those of the group, and those that may be: what is dialled and has not been connected yet. */
  members(): readonly SyncMember[] {
    return [...this.#dialled].flatMap((server): SyncMember[] => {
      if (this.#ownServers.has(server)) return [];
      const peer = this.#peers.get(server);
      if (peer?.isConnected === true && !peer.isOfGroup) return [];
      const { isConnected = false, reason = 'it has not been reached yet', revision } = peer ?? {};
      return [{ server, isConnected, reason, revision, skewMs: this.#skewOf(server) }];
    });
  }

  #state(): ResultOf<'group-state'> {
    const { color, mode, status, summary, details } = this.status();
    const { hostname, version } = this.#options;
    const devices = devicesOf({
      ...{ hostname, version, status, said: this.#saidOfItself },
      ...{ peers: this.#dials, members: this.#settings.isOn ? this.members() : [] },
    });
    return { sync: { color, mode, status, summary, details: [...details] }, devices };
  }

  get #memory(): SyncMemory | undefined {
    const memory = this.#record?.memory;
    return memory?.group === this.#settings.group ? memory : undefined;
  }

  #peerOf(server: string): Peer {
    let peer = this.#peers.get(server);
    if (peer === undefined) {
      peer = { isConnected: false, reason: 'it has not been reached yet', isOfGroup: false };
      this.#peers.set(server, peer);
    }
    return peer;
  }

  #turnOnOrOff(): void {
    const { mesh, store } = this.#options;
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#report = this.#seen = undefined;
    this.#failure = undefined;
    mesh.forget('config', '');
    for (const peer of this.#peers.values()) peer.isOfGroup = false;
    if (!this.#settings.isOn || this.#hasStopped) return;
    this.#unfollow = store.follow((state) => {
      this.#report = state;
      this.#stepSoon();
    });
  }

  #review(): void {
    this.#cancelReview = this.#options.clock.setTimer(REVIEW_MS, () => {
      this.#review();
      this.#stepSoon();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#work.then(work, work);
    this.#work = turn.catch((error: unknown) => {
      if (!(error instanceof IpcError)) logEvent(this.#options.log, 'sync-failed', errorText(error));
    });
    return turn;
  }

  /** All that happens meanwhile is looked at together. */
  #stepSoon(): void {
    if (this.#isStepDue || this.#hasStopped) return;
    this.#isStepDue = true;
    void this.#inTurn(() => {
      this.#isStepDue = false;
      return this.#step();
    }).catch(() => undefined);
  }

  async #step(): Promise<void> {
    if (!this.#settings.isOn || this.#record === undefined) return;
    await this.#lookAtReport();
    const memory = this.#memory;
    if (memory === undefined || this.#seen === undefined) return;
    const own = memory.current.revision;
    const peers = this.#usablePeers();
    if (!memory.hasJoined && peers.some(({ revision }) => relate(own, revision) === 'same')) {
      await this.#remember(withJoined(memory));
    }
    for (const peer of peers) this.#sayOnce(own, peer);
    const best = choose(own, peers);
    if (best === undefined) {
      this.#failure = undefined;
      return;
    }
    const { server, revision } = best.peer;
    // In which order two changes were made is not known while nobody knows the clocks.
    if (best.decision === 'yield' && this.#mayNotJudge(server)) return;
    const what = `${server} ${printEdits(revision.edits).join()} ${memory.current.local}`;
    if (this.#failure?.what === what && this.#options.clock.now() - this.#failure.at < RETRY_MS) return;
    // What a machine had before it was in the group is kept as well, however it came there.
    await this.#take(server, revision, best.decision === 'yield' || !memory.hasJoined, what);
  }

  async #lookAtReport(): Promise<void> {
    const report = this.#report;
    const record = this.#record!;
    if (report === undefined || report === this.#seen) return;
    const isOld = this.#seen?.epoch === report.epoch && report.number < this.#seen.number;
    this.#seen = isOld ? this.#seen : report;
    if (isOld) return;
    const { device } = record;
    const changedBy = `${report.changedBy}@${this.#options.hostname}`;
    const named = { ...report, changedBy };
    const before = this.#memory;
    const memory =
      before === undefined
        ? newMemory(this.#settings.group, named, device)
        : withReport(before, named, { device, highest: this.#highest() });
    if (memory !== before) await this.#remember(memory);
    this.#publish();
  }

  #highest(): number {
    return Math.max(
      0,
      ...[...this.#peers.values()].map(({ isOfGroup, revision }) => (isOfGroup ? (revision?.version ?? 0) : 0)),
    );
  }

  async #remember(memory: SyncMemory, conflict = this.#record?.conflict): Promise<void> {
    this.#record = { device: this.#record!.device, memory, ...(conflict === undefined ? {} : { conflict }) };
    await this.#options.file.write(this.#record);
  }

  #publish(): void {
    const memory = this.#memory;
    if (memory === undefined || !this.#settings.isOn) return;
    const { version, digest, time, changedBy, edits } = memory.current.revision;
    const record = { version, digest, time, changed_by: changedBy, history: printEdits(edits) };
    this.#options.mesh.publish({ message: 'config', sync_group: this.#settings.group, ...record });
  }

  #usablePeers(): { readonly server: string; readonly revision: Revision }[] {
    return [...this.#peers].flatMap(([server, { isConnected, isOfGroup, revision }]) => {
      const isUsable = isConnected && isOfGroup && revision !== undefined && !this.#ownServers.has(server);
      return isUsable && this.#skewOf(server) === undefined ? [{ server, revision }] : [];
    });
  }

  /** By how much a clock is off, where that is more than it may be. */
  #skewOf(server: string): number | undefined {
    const { toleranceMs } = this.#settings;
    const skewMs = this.#options.mesh.clockSkewOf?.(server);
    if (toleranceMs === 0 || skewMs === undefined || Math.abs(skewMs) <= toleranceMs) {
      this.#said.delete(`clock ${server}`);
      return undefined;
    }
    if (!this.#said.has(`clock ${server}`)) {
      this.#said.add(`clock ${server}`);
      const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
      const text = `the clock of ${server} is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's, more than synchronization-time-tolerance ${toleranceMs / 1000}: nothing is taken from it until NTP has set both`;
      logEvent(this.#options.log, 'sync-clock', text, { skewMs });
    }
    return skewMs;
  }

  #mayNotJudge(server: string): boolean {
    const { mesh } = this.#options;
    return this.#settings.toleranceMs > 0 && mesh.clockSkewOf !== undefined && mesh.clockSkewOf(server) === undefined;
  }

  #sayOnce(own: Revision, { server, revision }: { readonly server: string; readonly revision: Revision }): void {
    const decision = decide(own, revision);
    if (decision !== 'stand' && decision !== 'undecided') return;
    const key = `${decision} ${own.digest} ${server} ${revision.digest}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    const { log } = this.#options;
    const { group } = this.#settings;
    if (decision === 'stand') {
      const text = `${server} has a configuration of group ${group}, changed by ${revision.changedBy}, that knows nothing of the one here, changed by ${own.changedBy}: that one counts, and ${server} keeps its own in a file`;
      logEvent(log, 'sync-conflict', text);
    } else {
      const text = `${server} has another configuration of group ${group}, and neither has ever been in sync: on the one that is to count, run cm config-sync to-group ${group}`;
      logEvent(log, 'sync-undecided', text);
    }
  }

  /** `keeps`: what runs here is lost to the group, and is kept in a file. */
  async #take(server: string, revision: Revision, keeps: boolean, what: string): Promise<void> {
    const { log, store, clock } = this.#options;
    const { group } = this.#settings;
    const memory = this.#memory!;
    const { local } = memory.current;
    try {
      if (revision.digest === local) {
        await this.#remember(withTaken(memory, revision, local));
      } else {
        const text = await this.#fetch(server, revision.digest);
        const wish = { group, digest: revision.digest, base: local, from: server, changedBy: revision.changedBy };
        const { state, objects, kept } = await store.apply(text, { ...wish, keep: keeps });
        this.#seen = state;
        const conflict = kept === undefined ? undefined : this.#conflictText(server, revision, kept);
        await this.#remember(withTaken(memory, revision, state.digest), conflict ?? this.#record?.conflict);
        if (conflict !== undefined) logEvent(log, 'sync-conflict', conflict);
        const from = `taken from ${server}, changed by ${revision.changedBy}`;
        logEvent(log, 'sync-taken', `configuration ${revision.version} of group ${group}: ${objects} objects, ${from}`);
      }
      this.#failure = undefined;
      this.#publish();
    } catch (error) {
      // It is judged anew when configd says what runs now.
      if (error instanceof IpcError && error.details === BASE_CHANGED) return;
      const text = `The configuration of ${server}, changed by ${revision.changedBy}, was not taken: ${errorText(error)}`;
      if (this.#failure?.text !== text) logEvent(log, 'sync-failed', text);
      this.#failure = { what, text, at: clock.now() };
    } finally {
      this.#incoming = undefined;
      this.#stepSoon();
    }
  }

  #conflictText(server: string, revision: Revision, kept: string): string {
    const { group } = this.#settings;
    const when = new Date(this.#options.clock.wall()).toISOString();
    return `Conflict at ${when}: the configuration of ${server}, changed by ${revision.changedBy}, counts for group ${group}. What ran here is kept in ${kept}: load sys config file ${kept} group`;
  }

  async #fetch(server: string, digest: string): Promise<string> {
    const incoming = new IncomingText(server, digest);
    this.#incoming = incoming;
    const seconds = this.#settings.timeoutMs / 1000;
    const cancel = this.#options.clock.setTimer(this.#settings.timeoutMs, () =>
      incoming.fail(`it did not come within synchronization-timeout ${seconds} s`),
    );
    try {
      if (!this.#options.mesh.request(server, { message: 'config_request', digest })) {
        throw new Error('it takes no request at present');
      }
      return Buffer.from(await incoming.octets).toString('utf8');
    } finally {
      cancel();
    }
  }

  async #send({ id, syncGroup, device }: Subscriber, digest: string): Promise<void> {
    const { mesh, log, clock } = this.#options;
    if (this.#sending.has(id)) return;
    this.#sending.add(id);
    try {
      const current = this.#memory?.current;
      const isOurs = this.#settings.isOn && syncGroup === this.#settings.group && current?.revision.digest === digest;
      // What another version of the program prints otherwise, this one cannot give.
      const parts = isOurs && current.local === digest ? await this.#pack(digest) : [];
      if (parts.length === 0) mesh.reply(id, { message: 'config_text', digest, part: 0, parts: 0, text: '' });
      const until = clock.now() + this.#settings.timeoutMs;
      for (const [part, text] of parts.entries()) {
        while (!mesh.reply(id, { message: 'config_text', digest, part, parts: parts.length, text })) {
          if (this.#hasStopped || clock.now() > until || !mesh.subscribers.some((each) => each.id === id)) return;
          await delay(FULL_MS);
        }
      }
    } catch (error) {
      mesh.reply(id, { message: 'config_text', digest, part: 0, parts: 0, text: '' });
      logEvent(log, 'sync-failed', `the configuration cannot be given to ${device}: ${errorText(error)}`);
    } finally {
      this.#sending.delete(id);
    }
  }

  #pack(digest: string): Promise<readonly string[]> {
    const { store, clock } = this.#options;
    const known = this.#packed;
    if (known?.digest === digest && clock.now() - known.at < PACKED_MS) return known.parts;
    const parts = store.text(digest).then((text) => packText(Buffer.from(text)));
    this.#packed = { digest, parts, at: clock.now() };
    clock.setTimer(PACKED_MS, () => (this.#packed = undefined));
    parts.catch(() => (this.#packed = undefined));
    return parts;
  }

  /** Somebody says what is to count. Throws an IpcError. */
  async #force(direction: 'to-group' | 'from-group', group: string, user: string): Promise<{ text: string }> {
    const { log, hostname, clock } = this.#options;
    if (!this.#settings.isOn || group !== this.#settings.group) {
      throw new IpcError('refused', `this device is not of group ${group}`);
    }
    await this.#lookAtReport();
    const memory = this.#memory;
    if (memory === undefined || this.#seen === undefined) {
      throw new IpcError('failed', 'it is not known yet what runs here: try again in a moment');
    }
    const peers = this.#usablePeers();
    if (direction === 'to-group') {
      const { digest } = this.#seen;
      const edit = { device: this.#record!.device, digest, time: clock.wall(), changedBy: `${user}@${hostname}` };
      await this.#remember(
        withOverride(
          memory,
          [...this.#peers.values()].flatMap(({ revision }) => revision ?? []),
          edit,
        ),
        undefined,
      );
      this.#publish();
      const text = `the configuration of this device is that of group ${group}`;
      logEvent(log, 'sync-forced', `${user}: ${text}`);
      return { text: `${text}; ${peers.length} other ${peers.length === 1 ? 'device is' : 'devices are'} connected.` };
    }
    const others = peers.filter(({ revision }) => relate(memory.current.revision, revision) !== 'same');
    const [best] = others.sort((a, b) => compareRevisions(b.revision, a.revision));
    if (best === undefined) {
      if (peers.length > 0) return { text: `this device has what group ${group} has.` };
      throw new IpcError('failed', 'no other device of the group is connected');
    }
    logEvent(log, 'sync-forced', `${user}: the configuration of group ${group} is taken from ${best.server}`);
    await this.#take(best.server, best.revision, true, '');
    if (this.#failure !== undefined) throw new IpcError('failed', this.#failure.text);
    return { text: `the configuration of ${best.server} was taken.` };
  }
}
