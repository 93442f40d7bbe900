// What a machine has heard of the others, and what it says itself: two pictures that have to be the same in the end.

import assert from 'node:assert/strict';
import type { MeshFeature, PeerCondition, Subscriber } from '../../src/iquery/mesh-feature.ts';
import {
  type Channel,
  CHANNELS,
  recordKey,
  type RecordMessage,
  type RecordOf,
  type ReplyMessage,
  type RequestMessage,
} from '../../src/iquery/messages.ts';
import { Machine, type MeshNetwork } from './mesh-network.ts';

export type Records = Map<string, RecordMessage>;

/** Keeps what it is told, as features do. */
export class View implements MeshFeature {
  readonly channels = CHANNELS;
  readonly #records = new Map<string, Records>();
  readonly conditions: { readonly server: string; readonly condition: PeerCondition }[] = [];
  readonly calls: string[] = [];
  readonly requests: { readonly subscriber: Subscriber; readonly request: RequestMessage }[] = [];
  readonly replies: ReplyMessage[] = [];
  heardAt = 0;

  of(server: string, channel: Channel): Records {
    const key = `${server} ${channel}`;
    const known = this.#records.get(key);
    if (known !== undefined) return known;
    const records: Records = new Map();
    this.#records.set(key, records);
    return records;
  }

  onCondition(server: string, condition: PeerCondition): void {
    this.conditions.push({ server, condition });
  }

  onWhole(server: string, channel: Channel, records: readonly RecordMessage[]): void {
    this.calls.push(`whole ${channel} ${records.length}`);
    const kept = this.of(server, channel);
    kept.clear();
    for (const record of records) {
      assert.equal(record.message, channel);
      assert.ok(!kept.has(recordKey(record)), 'a key comes once in a whole');
      kept.set(recordKey(record), record);
    }
  }

  onRecord(server: string, record: RecordMessage): void {
    this.calls.push(`record ${record.message} ${recordKey(record)}`);
    this.of(server, record.message).set(recordKey(record), record);
  }

  onForgotten(server: string, channel: Channel, key: string): void {
    this.calls.push(`forgotten ${channel} ${key}`);
    this.of(server, channel).delete(key);
  }

  onHeard(_server: string, at: number): void {
    this.heardAt = at;
  }

  onRequest(subscriber: Subscriber, request: RequestMessage): void {
    this.requests.push({ subscriber, request });
  }

  onReply(_server: string, reply: ReplyMessage): void {
    this.replies.push(reply);
  }
}

/** A machine with a view, which publishes again what it said before when it is started again. */
export class Speaker extends Machine {
  view = new View();
  readonly said: Readonly<Record<Channel, Records>> = Object.fromEntries(
    CHANNELS.map((channel) => [channel, new Map()]),
  ) as unknown as Record<Channel, Records>;
  readonly #known = new Set<Channel>();

  constructor(network: MeshNetwork, name: string, addresses: readonly string[]) {
    const views: View[] = [];
    super(network, {
      ...{ name, addresses },
      features: () => {
        views.push(new View());
        return [views.at(-1)!];
      },
    });
    this.#views = views;
    this.view = views.at(-1)!;
  }

  readonly #views: readonly View[];

  say(record: RecordMessage): void {
    this.said[record.message].set(recordKey(record), record);
    this.#known.add(record.message);
    if (this.isAlive) this.mesh.publish(record);
  }

  unsay(channel: Channel, key: string): void {
    this.said[channel].delete(key);
    if (this.isAlive) this.mesh.forget(channel, key);
  }

  sayAll<C extends Channel>(channel: C, records: readonly RecordOf<C>[]): void {
    this.said[channel].clear();
    for (const record of records as unknown as readonly RecordMessage[]) {
      this.said[channel].set(recordKey(record), record);
    }
    this.#known.add(channel);
    if (this.isAlive) this.mesh.publishAll(channel, records);
  }

  override start(): void {
    if (this.isAlive) return;
    super.start();
    this.view = this.#views.at(-1)!;
    for (const channel of this.#known) this.mesh.publishAll(channel, [...this.said[channel].values()] as never);
  }

  /** Whether what belongs to a group is for that one. */
  tells(channel: Channel, other: Machine): boolean {
    if (channel !== 'config' && channel !== 'zone_file') return true;
    const { settings } = this;
    return settings.isGtm && other.settings.isGtm && settings.syncGroup === other.settings.syncGroup;
  }
}

/** Everybody who is dialled has been heard to the last word. */
export function assertHeard(speakers: readonly Speaker[], when: string): void {
  for (const speaker of speakers) {
    for (const other of speakers) {
      if (!speaker.peers.some(({ server }) => server === other.server)) continue;
      for (const channel of CHANNELS) {
        const expected = other.tells(channel, speaker) ? sorted(other.said[channel]) : [];
        const heard = sorted(speaker.view.of(other.server, channel));
        assert.deepEqual(heard, expected, `${when}: what ${speaker.name} knows of ${other.name}'s ${channel}`);
      }
    }
  }
}

const sorted = (records: Records): (readonly [string, RecordMessage])[] =>
  [...records].sort(([one], [other]) => (one < other ? -1 : 1));

export function virtualServer(name: string, reason = 'up', port = 80): RecordOf<'vs'> {
  return {
    ...{ message: 'vs', name, address: '192.0.2.1', port, availability: 'available', state: 'enabled' },
    ...{ reason, since: 1 },
  };
}
