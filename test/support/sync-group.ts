// Members of a synchronisation group in one process: their features on a bus in place of the mesh, their configurations in memory.

import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IqueryWant } from '../../src/assembly/iqueryd/feature.ts';
import { SyncFeature } from '../../src/assembly/iqueryd/feature-sync.ts';
import type { GroupApplied, GroupStore, GroupWish } from '../../src/assembly/iqueryd/group-store.ts';
import type { SyncRecord, SyncStore } from '../../src/assembly/iqueryd/sync-file.ts';
import type { AnyConfigObject } from '../../src/config/object-type.ts';
import type { Log } from '../../src/core/log.ts';
import { IpcError } from '../../src/ipc/ipc-error.ts';
import { BASE_CHANGED, type GroupState } from '../../src/ipc/sync-schema.ts';
import type { MeshPort, PeerServer, Subscriber } from '../../src/iquery/mesh-feature.ts';
import type { RecordMessage } from '../../src/iquery/messages.ts';
import { FakeClock } from './health-rig.ts';

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** configd, as far as a group sees it. */
class MemoryStore implements GroupStore {
  text_: string;
  epoch = 1;
  number = 1;
  changedBy = 'admin';
  refuses: string | undefined;
  readonly kept: string[] = [];
  readonly #clock: FakeClock;
  #changed: ((state: GroupState) => void) | undefined;

  constructor(text: string, clock: FakeClock) {
    this.text_ = text;
    this.#clock = clock;
  }

  get state(): GroupState {
    const { epoch, number, changedBy, text_: text } = this;
    const time = this.#clock.wall();
    return { epoch, number, digest: digestOf(text), hasContent: text !== '', octets: text.length, time, changedBy };
  }

  follow(changed: (state: GroupState) => void): () => void {
    this.#changed = changed;
    changed(this.state);
    return () => (this.#changed = undefined);
  }

  /** Somebody changes it here. */
  edit(text: string): void {
    this.text_ = text;
    this.number += 1;
    this.changedBy = 'admin';
    this.#changed?.(this.state);
  }

  /** It was started anew, with this. */
  restart(text: string): void {
    this.epoch += 1;
    this.number = 1;
    this.text_ = text;
    this.#changed?.(this.state);
  }

  async text(digest: string): Promise<string> {
    await nextTurn();
    if (digestOf(this.text_) !== digest) throw new IpcError('refused', 'it has changed', BASE_CHANGED);
    return this.text_;
  }

  async apply(text: string, wish: GroupWish): Promise<GroupApplied> {
    await nextTurn();
    if (digestOf(text) !== wish.digest) throw new IpcError('refused', 'it is damaged');
    if (this.state.digest !== wish.base) throw new IpcError('refused', 'it has changed', BASE_CHANGED);
    if (this.refuses !== undefined) throw new IpcError('failed', this.refuses);
    if (wish.keep) this.kept.push(this.text_);
    this.text_ = text;
    this.number += 1;
    this.changedBy = 'iqueryd';
    // Who follows hears of it before the answer or behind it.
    this.#changed?.(this.state);
    return { state: this.state, objects: 1, ...(wish.keep ? { kept: `/kept/${this.kept.length}.conf` } : {}) };
  }
}

class MemoryFile implements SyncStore {
  record: SyncRecord;

  constructor(device: string) {
    this.record = { device };
  }

  read(): Promise<SyncRecord> {
    return Promise.resolve(this.record);
  }

  write(record: SyncRecord): Promise<void> {
    this.record = record;
    return Promise.resolve();
  }
}

export const serverName = (index: number): string => `/Common/s${index}`;

export class GroupMember {
  readonly index: number;
  readonly store: MemoryStore;
  readonly file: MemoryFile;
  readonly log: string[] = [];
  readonly published = new Map<string, RecordMessage>();
  feature: SyncFeature;
  skewMs = 0;
  readonly #group: SyncGroup;

  constructor(index: number, text: string, group: SyncGroup) {
    this.index = index;
    this.#group = group;
    this.store = new MemoryStore(text, group.clock);
    this.file = new MemoryFile(`device-${index}`);
    this.feature = this.#make();
  }

  /** iqueryd is started anew, and nobody is connected yet. */
  async restart(): Promise<void> {
    await this.feature.stop();
    this.published.clear();
    this.feature = this.#make();
  }

  #make(): SyncFeature {
    const say: Log['info'] = (message, fields) => void this.log.push(`${String(fields?.code)} ${message}`);
    const log: Log = { debug: say, info: say, warn: say, error: say };
    const { clock } = this.#group;
    return new SyncFeature({
      ...{
        mesh: this.#port(),
        store: this.store,
        file: this.file,
        hostname: `h${this.index}`,
        version: '1',
        clock,
        log,
      },
    });
  }

  #port(): MeshPort {
    const group = this.#group;
    const others = (): GroupMember[] => group.members.filter((other) => group.isLinked(this, other));
    return {
      publish: (record) => {
        this.published.set(record.message, record);
        for (const other of others()) other.feature.onRecord(serverName(this.index), record);
      },
      forget: (channel) => {
        this.published.delete(channel);
        for (const other of others()) other.feature.onForgotten(serverName(this.index), channel);
      },
      publishAll: () => undefined,
      request: (server, message) => {
        const other = others().find(({ index }) => serverName(index) === server);
        if (other === undefined) return false;
        other.feature.onRequest(group.subscriberOf(this), message);
        return true;
      },
      reply: (id, message) => {
        const other = others().find(({ index }) => index === id);
        if (other === undefined || group.losesReplies) return other !== undefined;
        other.feature.onReply(serverName(this.index), message);
        return true;
      },
      clockSkewOf: (server) => {
        const other = group.members.find(({ index }) => serverName(index) === server);
        return other && other.skewMs - this.skewMs;
      },
      peers: [],
      get subscribers() {
        return others().map((other) => group.subscriberOf(other));
      },
    };
  }
}

export class SyncGroup {
  readonly clock = new FakeClock();
  readonly members: GroupMember[] = [];
  losesReplies = false;
  /** Each pair that cannot talk. */
  readonly #cut = new Set<string>();

  constructor(texts: readonly string[]) {
    for (const [index, text] of texts.entries()) this.members.push(new GroupMember(index, text, this));
  }

  subscriberOf({ index }: GroupMember): Subscriber {
    const device = `h${index}`;
    return { id: index, device, deviceId: device, syncGroup: 'default', isGtm: true, address: `192.0.2.${index}` };
  }

  isLinked(a: GroupMember, b: GroupMember): boolean {
    return a !== b && !this.#cut.has(pairOf(a, b));
  }

  /** Members come up, and are connected where they are not cut off. */
  async start(properties: Readonly<Record<string, unknown>> = {}): Promise<void> {
    for (const member of this.members) this.begin(member, properties);
    await this.settle();
    for (const member of this.members) this.connect(member);
    await this.settle();
  }

  begin(member: GroupMember, properties: Readonly<Record<string, unknown>> = {}): void {
    const general = {
      type: 'gtm global-settings general',
      name: '',
      properties: {
        synchronization: true,
        'synchronization-group-name': 'default',
        'synchronization-time-tolerance': 10,
        'synchronization-timeout': 180,
        'synchronize-zone-files': false,
        'synchronize-zone-files-timeout': 300,
        ...properties,
      },
    } as AnyConfigObject;
    const peers = this.members.map((other): PeerServer => ({
      ...{ server: serverName(other.index), datacenter: '/Common/d', device: `h${other.index}` },
      ...{ address: `192.0.2.${other.index}`, isThisMachine: other === member },
    }));
    const want: IqueryWant = {
      ...{
        objects: [general],
        peers,
        ownServers: new Set([serverName(member.index)]),
        syncGroup: 'default',
        isGtm: true,
      },
      objectsOf: (path) => (path === general.type ? [general] : []),
    };
    member.feature.want(want);
    member.feature.start();
  }

  connect(member: GroupMember): void {
    for (const other of this.members) {
      if (!this.isLinked(member, other)) continue;
      for (const [from, to] of [
        [member, other],
        [other, member],
      ] as const) {
        to.feature.onCondition(serverName(from.index), { state: 'connected', since: 0 });
        to.feature.onWhole(serverName(from.index), 'config', [...from.published.values()]);
      }
    }
  }

  cut(a: number, b: number): void {
    const [one, other] = [this.members[a]!, this.members[b]!];
    this.#cut.add(pairOf(one, other));
    const lost = { state: 'not-connected', since: 0, reason: 'nothing was heard for 30 s' } as const;
    one.feature.onCondition(serverName(b), lost);
    other.feature.onCondition(serverName(a), lost);
  }

  heal(): void {
    this.#cut.clear();
    for (const member of this.members) this.connect(member);
  }

  /** Time goes on, and everybody does what is to be done. */
  async settle(seconds = 3): Promise<void> {
    for (let step = 0; step < seconds; step++) {
      this.clock.goTo(this.clock.now() + 1000);
      // Packing is done by threads, in their own time.
      for (let turn = 0; turn < 4; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 3));
        for (let each = 0; each < 20; each++) await nextTurn();
      }
    }
  }

  get texts(): string[] {
    return this.members.map(({ store }) => store.text_);
  }

  statusOf(index: number): string {
    return this.members[index]!.feature.status().status;
  }

  async stop(): Promise<void> {
    for (const { feature } of this.members) await feature.stop();
  }
}

const pairOf = (a: GroupMember, b: GroupMember): string => [a.index, b.index].sort().join(' ');
