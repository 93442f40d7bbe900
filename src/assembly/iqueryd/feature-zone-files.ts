// Files of zones in a synchronisation group: publishes which there are, gives them to who asks, and takes those that count from others.

import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import { BASE_CHANGED, type ZoneFileState } from '../../ipc/sync-schema.ts';
import type { MeshPort, PeerCondition, Subscriber } from '../../iquery/mesh-feature.ts';
import type { Channel, RecordMessage, RecordOf, ReplyMessage, RequestMessage } from '../../iquery/messages.ts';
import type { IqueryFeature, IqueryWant } from './feature.ts';
import { syncSettings, type SyncSettings } from './sync-settings.ts';
import { IncomingText, packText } from './text-transfer.ts';
import { chooseZone, type ZoneVersion } from './zone-rules.ts';
import type { ZoneStore } from './zone-store.ts';

export type ZoneFilesFeatureOptions = {
  readonly mesh: MeshPort;
  readonly store: ZoneStore;
  readonly clock: Clock;
  readonly log: Log;
};

const REVIEW_MS = 1000;
const RETRY_MS = 10_000;
const FULL_MS = 20;

type ZoneRecord = RecordOf<'zone_file'>;

export class ZoneFilesFeature implements IqueryFeature {
  readonly channels: readonly Channel[] = ['zone_file'];
  readonly #options: ZoneFilesFeatureOptions;
  #settings: SyncSettings = syncSettings(undefined);
  #ownServers: ReadonlySet<string> = new Set();
  #zones: readonly ZoneFileState[] = [];
  /** By server, and name. */
  readonly #peers = new Map<string, { isConnected: boolean; readonly zones: Map<string, ZoneVersion> }>();
  /** When something that failed was tried, and what was said of it. */
  readonly #failures = new Map<string, { readonly at: number; readonly text: string }>();
  #incoming: IncomingText | undefined;
  #unfollow: (() => void) | undefined;
  #cancelReview: (() => void) | undefined;
  #work: Promise<void> = Promise.resolve();
  #isStepDue = false;
  #hasStarted = false;

  constructor(options: ZoneFilesFeatureOptions) {
    this.#options = options;
  }

  want({ objectsOf, ownServers, peers }: IqueryWant): void {
    const before = this.#settings;
    this.#settings = syncSettings(objectsOf('gtm global-settings general')[0]);
    this.#ownServers = ownServers;
    const dialled = new Set(peers.map(({ server }) => server));
    for (const server of this.#peers.keys()) if (!dialled.has(server)) this.#peers.delete(server);
    if (this.#hasStarted && before.hasZoneFiles !== this.#settings.hasZoneFiles) this.#turnOnOrOff();
  }

  start(): void {
    this.#hasStarted = true;
    this.#turnOnOrOff();
    this.#review();
  }

  async stop(): Promise<void> {
    this.#hasStarted = false;
    this.#cancelReview?.();
    this.#unfollow?.();
    this.#incoming?.fail('iqueryd stops');
    await this.#work;
  }

  onCondition(server: string, { state }: PeerCondition): void {
    this.#peerOf(server).isConnected = state === 'connected';
    if (state !== 'connected' && this.#incoming?.server === server) this.#incoming.fail('its connection was lost');
    this.#stepSoon();
  }

  onWhole(server: string, _channel: Channel, records: readonly RecordMessage[]): void {
    this.#peerOf(server).zones.clear();
    for (const record of records) this.onRecord(server, record);
    this.#stepSoon();
  }

  onRecord(server: string, record: RecordMessage): void {
    if (record.message !== 'zone_file') return;
    const { name, digest, serial, time } = record;
    this.#peerOf(server).zones.set(name, { digest, serial, time });
    this.#stepSoon();
  }

  onForgotten(server: string, _channel: Channel, key: string): void {
    this.#peerOf(server).zones.delete(key);
  }

  onReply(server: string, reply: ReplyMessage): void {
    if (reply.message !== 'zone_file_text' || this.#incoming?.server !== server) return;
    if (reply.digest === this.#incoming.digest) this.#incoming.take(reply);
  }

  onRequest(subscriber: Subscriber, request: RequestMessage): void {
    if (request.message === 'zone_file_request') void this.#send(subscriber, request.name, request.digest);
  }

  #peerOf(server: string): { isConnected: boolean; readonly zones: Map<string, ZoneVersion> } {
    let peer = this.#peers.get(server);
    if (peer === undefined) {
      peer = { isConnected: false, zones: new Map() };
      this.#peers.set(server, peer);
    }
    return peer;
  }

  #turnOnOrOff(): void {
    const { mesh, store } = this.#options;
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#zones = [];
    mesh.publishAll('zone_file', []);
    if (!this.#settings.hasZoneFiles) return;
    this.#unfollow = store.follow((zones) => {
      this.#zones = zones;
      const records = zones.flatMap(({ name, digest, serial, time }): ZoneRecord[] =>
        digest === undefined ? [] : [{ message: 'zone_file', name, digest, serial, time }],
      );
      mesh.publishAll('zone_file', records);
      this.#stepSoon();
    });
  }

  #review(): void {
    this.#cancelReview = this.#options.clock.setTimer(REVIEW_MS, () => {
      this.#review();
      this.#stepSoon();
    });
  }

  #stepSoon(): void {
    if (this.#isStepDue || !this.#hasStarted || !this.#settings.hasZoneFiles) return;
    this.#isStepDue = true;
    this.#work = this.#work.then(async () => {
      this.#isStepDue = false;
      for (const zone of this.#zones) await this.#lookAt(zone);
    });
  }

  async #lookAt({ name, digest, serial, time }: ZoneFileState): Promise<void> {
    const { clock } = this.#options;
    const ours = digest === undefined ? undefined : { digest, serial, time };
    const peers = [...this.#peers].flatMap(([server, { isConnected, zones }]) => {
      const version = zones.get(name);
      const isUsable = isConnected && version !== undefined && !this.#ownServers.has(server) && this.#hasTime(server);
      return isUsable ? [{ server, version }] : [];
    });
    const best = chooseZone(ours, peers);
    if (best === undefined) return;
    const { server, version } = best.peer;
    const failure = this.#failures.get(`${name} ${version.digest}`);
    if (failure !== undefined && clock.now() - failure.at < RETRY_MS) return;
    await this.#take(name, server, version, ours, best.decision === 'yield');
  }

  #hasTime(server: string): boolean {
    const { toleranceMs } = this.#settings;
    const skewMs = this.#options.mesh.clockSkewOf?.(server) ?? 0;
    return toleranceMs === 0 || Math.abs(skewMs) <= toleranceMs;
  }

  async #take(
    name: string,
    server: string,
    { digest, time, serial: theirs }: ZoneVersion,
    ours: ZoneVersion | undefined,
    isConflict: boolean,
  ): Promise<void> {
    const { store, log, clock } = this.#options;
    try {
      const octets = await this.#fetch(server, name, digest);
      const base = ours === undefined ? {} : { base: ours.digest };
      const { serial, kept } = await store.apply(octets, { name, digest, time, keep: isConflict, ...base });
      this.#zones = this.#zones.map((zone) => (zone.name === name ? { name, digest, serial, time } : zone));
      this.#failures.delete(`${name} ${digest}`);
      logEvent(log, 'zone-file-taken', `zone ${name}: serial ${serial} was taken from ${server}`);
      if (kept === undefined) return;
      const text = `zone ${name}: ${server} has another file of serial ${theirs}, which is later and counts; what was here is kept in ${kept}`;
      logEvent(log, 'zone-file-conflict', text);
    } catch (error) {
      if (error instanceof IpcError && error.details === BASE_CHANGED) return;
      const text = `zone ${name}: its file cannot be taken from ${server}: ${errorText(error)}`;
      if (this.#failures.get(`${name} ${digest}`)?.text !== text) logEvent(log, 'zone-file-failed', text);
      this.#failures.set(`${name} ${digest}`, { at: clock.now(), text });
    } finally {
      this.#incoming = undefined;
    }
  }

  async #fetch(server: string, name: string, digest: string): Promise<Uint8Array> {
    const incoming = new IncomingText(server, digest);
    this.#incoming = incoming;
    const { zoneTimeoutMs } = this.#settings;
    const late = `it did not come within synchronize-zone-files-timeout ${zoneTimeoutMs / 1000} s`;
    const cancel = this.#options.clock.setTimer(zoneTimeoutMs, () => incoming.fail(late));
    try {
      if (!this.#options.mesh.request(server, { message: 'zone_file_request', name, digest })) {
        throw new Error('it takes no request at present');
      }
      return await incoming.octets;
    } finally {
      cancel();
    }
  }

  async #send({ id, syncGroup }: Subscriber, name: string, digest: string): Promise<void> {
    const { mesh, store, clock } = this.#options;
    let parts: readonly string[] = [];
    try {
      const isOurs = this.#settings.hasZoneFiles && syncGroup === this.#settings.group;
      const isThere = this.#zones.some((zone) => zone.name === name && zone.digest === digest);
      if (isOurs && isThere) parts = await packText(await store.text(name, digest));
    } catch (error) {
      logEvent(this.#options.log, 'zone-file-failed', `zone ${name} cannot be given to others: ${errorText(error)}`);
    }
    if (parts.length === 0) mesh.reply(id, { message: 'zone_file_text', name, digest, part: 0, parts: 0, text: '' });
    const until = clock.now() + this.#settings.zoneTimeoutMs;
    for (const [part, text] of parts.entries()) {
      while (!mesh.reply(id, { message: 'zone_file_text', name, digest, part, parts: parts.length, text })) {
        if (!this.#hasStarted || clock.now() > until || !mesh.subscribers.some((each) => each.id === id)) return;
        await delay(FULL_MS);
      }
    }
  }
}
