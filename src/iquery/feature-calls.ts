// Tells the features what happens in the mesh. One that throws is its own fault: it is said once, and everybody else goes on.

import type { Log } from '../core/log.ts';
import { logEvent } from '../core/log-codes.ts';
import type { MeshFeature, PeerCondition, Subscriber } from './mesh-feature.ts';
import type { Channel, RecordMessage, ReplyMessage, RequestMessage } from './messages.ts';

type Callback = Exclude<keyof MeshFeature, 'channels'>;

export class FeatureCalls {
  readonly #log: Log;
  readonly #all: MeshFeature[] = [];
  readonly #byChannel = new Map<Channel, MeshFeature[]>();
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  add(feature: MeshFeature): void {
    this.#all.push(feature);
    for (const channel of feature.channels) {
      const those = this.#byChannel.get(channel);
      if (those === undefined) this.#byChannel.set(channel, [feature]);
      else those.push(feature);
    }
  }

  condition(server: string, condition: PeerCondition): void {
    this.#each('onCondition', this.#all, (feature) => feature.onCondition?.(server, condition));
  }

  whole(server: string, channel: Channel, records: readonly RecordMessage[]): void {
    this.#each('onWhole', this.#of(channel), (feature) => feature.onWhole?.(server, channel, records));
  }

  /** Without a closure: it is called for every record that changes. */
  record(server: string, record: RecordMessage): void {
    for (const feature of this.#of(record.message)) {
      try {
        feature.onRecord?.(server, record);
      } catch (error) {
        this.#failed('onRecord', feature, error);
      }
    }
  }

  forgotten(server: string, channel: Channel, key: string): void {
    this.#each('onForgotten', this.#of(channel), (feature) => feature.onForgotten?.(server, channel, key));
  }

  heard(server: string, at: number): void {
    this.#each('onHeard', this.#all, (feature) => feature.onHeard?.(server, at));
  }

  request(subscriber: Subscriber, request: RequestMessage): void {
    this.#each('onRequest', this.#all, (feature) => feature.onRequest?.(subscriber, request));
  }

  reply(server: string, reply: ReplyMessage): void {
    this.#each('onReply', this.#all, (feature) => feature.onReply?.(server, reply));
  }

  #of(channel: Channel): readonly MeshFeature[] {
    return this.#byChannel.get(channel) ?? [];
  }

  #each(callback: Callback, features: readonly MeshFeature[], call: (feature: MeshFeature) => void): void {
    for (const feature of features) {
      try {
        call(feature);
      } catch (error) {
        this.#failed(callback, feature, error);
      }
    }
  }

  #failed(callback: Callback, feature: MeshFeature, error: unknown): void {
    const where = `${feature.constructor.name}.${callback}`;
    if (this.#said.has(where)) return;
    this.#said.add(where);
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logEvent(this.#log, 'iquery-feature-failed', `${where} fails, which is said once: ${why}`);
  }
}
