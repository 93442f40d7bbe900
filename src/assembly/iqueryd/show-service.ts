// `show gtm iquery`: how it stands with each address that is dialled, under the labels of a BIG-IP, and with those who dial.

import { formatBareAddress, parseAddress } from '../../core/address.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import type { MeshFeature } from '../../iquery/mesh-feature.ts';
import type { Mesh, SubscriberSnapshot } from '../../iquery/mesh.ts';
import type { RecordMessage } from '../../iquery/messages.ts';
import type { PeerSnapshot } from '../../iquery/peer-link.ts';
import { pageOf } from '../show-page.ts';
import { refusedLabel, type Refusals } from './refusals.ts';
import type { TlsDialer } from './tls-dialer.ts';
import type { TlsListener } from './tls-listener.ts';

export const IQUERY_TYPE = 'gtm iquery';
/** The row of those who dial this machine; no address is called so. */
const SERVED = 'served';

type Counted = {
  readonly reconnects: number;
  readonly octetsIn: number;
  readonly octetsOut: number;
  readonly backlogs: number;
  readonly octetsDropped: number;
};

const NOTHING: Counted = { reconnects: 0, octetsIn: 0, octetsOut: 0, backlogs: 0, octetsDropped: 0 };

const SUBSCRIBER_COLUMNS = ['Address', 'Device', 'Sync Group', 'State', 'Since', 'Last heard', 'Bytes In', 'Bytes Out'];

/** What is shown. */
export type IqueryShown = {
  readonly mesh: Mesh;
  readonly dialer: TlsDialer;
  readonly listener: TlsListener;
  readonly refusals: Refusals;
  /** When the certificate of this machine ends. */
  readonly certificateEnd: () => Date;
};

export class IqueryShowService implements MeshFeature {
  readonly channels = ['config'] as const;
  readonly #mesh: Mesh;
  readonly #dialer: TlsDialer;
  readonly #listener: TlsListener;
  readonly #refusals: Refusals;
  /** When the certificate of this machine ends. */
  readonly #certificateEnd: () => Date;
  /** When the configuration of a server's machine was changed last, as that says. */
  readonly #configured = new Map<string, number>();
  /** What was counted when somebody reset it, by server and address. */
  readonly #reset = new Map<string, Counted>();

  constructor({ mesh, dialer, listener, refusals, certificateEnd }: IqueryShown) {
    this.#mesh = mesh;
    this.#dialer = dialer;
    this.#listener = listener;
    this.#refusals = refusals;
    this.#certificateEnd = certificateEnd;
  }

  onWhole(server: string, _channel: string, records: readonly RecordMessage[]): void {
    this.#configured.delete(server);
    for (const record of records) this.onRecord(server, record);
  }

  onRecord(server: string, record: RecordMessage): void {
    if (record.message === 'config') this.#configured.set(server, record.time);
  }

  onForgotten(server: string): void {
    this.#configured.delete(server);
  }

  /** `names`: addresses, in any way of writing; throws an IpcError for one that is not dialled. */
  show(names: readonly string[] | undefined, cursor: string | undefined): ShowReply {
    const { peers, subscribers } = this.#mesh.snapshot();
    const chosen: (PeerSnapshot | typeof SERVED)[] = [...this.#chosen(peers, names)];
    if (names === undefined) chosen.push(SERVED);
    return pageOf(chosen, cursor, (page) =>
      page.map((each) => (each === SERVED ? this.#served(subscribers) : this.#row(each))),
    );
  }

  /** How many addresses there were. */
  reset(names: readonly string[] | undefined): number {
    const chosen = this.#chosen(this.#mesh.snapshot().peers, names);
    for (const peer of chosen) this.#reset.set(keyOf(peer), this.#countedOf(peer));
    if (names === undefined) this.#refusals.counts.clear();
    return chosen.length;
  }

  #chosen(peers: readonly PeerSnapshot[], names: readonly string[] | undefined): readonly PeerSnapshot[] {
    if (names === undefined) return peers;
    return names.flatMap((name) => {
      const parsed = parseAddress(name);
      const address = parsed === undefined ? name : formatBareAddress(parsed);
      const found = peers.filter(({ peer }) => peer.address === address);
      if (found.length > 0) return found;
      const what = `The requested iQuery connection (${name}) was not found: no gtm server of product bigip that is enabled has this address.`;
      throw new IpcError('refused', `${what} list gtm server devices shows those that there are.`);
    });
  }

  #row(snapshot: PeerSnapshot): ShowRow {
    const { peer, condition, identity, certificate, clockSkewMs, lastHeard, connectedSince, isActive } = snapshot;
    const counted = differenceOf(this.#countedOf(snapshot), this.#reset.get(keyOf(snapshot)) ?? NOTHING);
    const { state } = condition;
    const isUp = state === 'connected' || state === 'stranger' || state === 'backlogged';
    return {
      name: peer.address,
      stats: {
        Server: peer.server,
        'Server Type': 'BIG-IP',
        'Data Center': peer.datacenter,
        State: state === 'stranger' ? 'connected' : state,
        Reason: reasonOf(snapshot),
        'Connection Time': isUp && connectedSince !== undefined ? timeText(connectedSince) : 'none',
        'big3d Version': identity.big3d ?? identity.version ?? 'unknown',
        Reconnects: counted.reconnects,
        'Bytes In': counted.octetsIn,
        'Bytes Out': counted.octetsOut,
        Backlogs: counted.backlogs,
        'Bytes Dropped': counted.octetsDropped,
        'Cert Expiration Date': certificate === undefined ? 'unknown' : timeText(certificate.notAfter.getTime()),
        'Configuration Time': timeTextOf(this.#configured.get(peer.server), 'unknown'),
        'Last Update': lastHeard === undefined ? 'never' : ageText(Date.now() - lastHeard),
        'Clock Skew': clockSkewMs === undefined ? 'unknown' : skewText(clockSkewMs),
        Device: identity.device ?? peer.device,
        'This Machine': peer.isThisMachine ? 'yes' : 'no',
        Heard: isActive ? 'by this address' : 'not by this address',
      },
    };
  }

  #served(subscribers: readonly SubscriberSnapshot[]): ShowRow {
    const refused = [...this.#refusals.counts].map(([problem, count]) => [refusedLabel(problem), count] as const);
    const rows = subscribers.map(({ address, subscriber, since, lastHeard, isBacklogged, counts }) => [
      address,
      subscriber?.device ?? 'unknown',
      subscriber?.syncGroup ?? 'none',
      subscriber === undefined ? 'not subscribed' : isBacklogged ? 'backlogged' : 'subscribed',
      timeText(since),
      ageText(Date.now() - lastHeard),
      counts.octetsIn,
      counts.octetsOut,
    ]);
    return {
      name: SERVED,
      stats: {
        Listening: this.#listener.places.join(', ') || 'nowhere',
        'Cert Expiration Date': timeText(this.#certificateEnd().getTime()),
        Accepted: this.#listener.accepted,
        'Not known yet': this.#listener.unknown,
        ...Object.fromEntries(refused),
      },
      table: { title: 'Connections of others', columns: SUBSCRIBER_COLUMNS, rows },
    };
  }

  #countedOf({ peer, reconnects, counts }: PeerSnapshot): Counted {
    const { octetsIn, octetsOut, backloggedSends } = counts;
    const octetsDropped = this.#dialer.droppedOf(peer);
    return { reconnects, octetsIn, octetsOut, backlogs: backloggedSends, octetsDropped };
  }
}

const keyOf = ({ peer: { server, address } }: PeerSnapshot): string => `${server}\t${address}`;

function differenceOf(now: Counted, before: Counted): Counted {
  return {
    reconnects: now.reconnects - before.reconnects,
    octetsIn: now.octetsIn - before.octetsIn,
    octetsOut: now.octetsOut - before.octetsOut,
    backlogs: now.backlogs - before.backlogs,
    octetsDropped: now.octetsDropped - before.octetsDropped,
  };
}

function reasonOf({ condition, waitMs }: PeerSnapshot): string {
  if (condition.state === 'connected') return 'none';
  if (!('reason' in condition)) {
    return 'it speaks another grammar, as a BIG-IP does: the session is kept, and not decoded';
  }
  const { reason } = condition;
  if (condition.state !== 'not-connected' || waitMs === undefined) return reason;
  return `${reason}; dialled again in ${Math.ceil(waitMs / 1000)} s`;
}

/** `2026-03-04 05:06:07 UTC`. */
const timeText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
const timeTextOf = (ms: number | undefined, otherwise: string): string => (ms === undefined ? otherwise : timeText(ms));

const ageText = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s ago`;

function skewText(ms: number): string {
  const seconds = (Math.abs(ms) / 1000).toFixed(1);
  return seconds === '0.0' ? 'none' : `${seconds} s ${ms > 0 ? 'ahead' : 'behind'}`;
}
