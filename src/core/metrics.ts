// Every metric that is served: its name, kind, labels and what it says. The page of the manual is made of this table.

import { COUNTERS } from './counters.ts';

export type Family = {
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
};

/** One value of a family; labels in the order of the family. */
export type Sample = { readonly family: string; readonly labels: readonly string[]; readonly value: number };

/** What has the counters of core/counters.ts: type of the objects → its label, and what it is called in names of metrics. */
export const COUNTED_TYPES = {
  'net interface': 'interface',
  'net vlan': 'vlan',
  'net vlan-group': 'vlan_group',
  'net tunnels tunnel': 'tunnel',
} as const;

const slug = (label: string): string => label.toLowerCase().replaceAll(' ', '_');

/** `wideplane_tunnel_incoming_frames_total`. */
export const counterFamily = (what: string, label: string): string => `wideplane_${what}_${slug(label)}_total`;
export const dropFamily = (what: string): string => `wideplane_${what}_drops_total`;

const STATUS = 'which is 1 for the one that it has, and 0 for the others';

function counted(): Record<string, Family> {
  const families: Record<string, Family> = {};
  for (const [type, what] of Object.entries(COUNTED_TYPES)) {
    for (const { label, help } of COUNTERS) {
      if (what === 'tunnel' && label === 'Receive Overruns') continue;
      families[counterFamily(what, label)] = { kind: 'counter', help: `${type}: ${help}`, labels: [what] };
    }
    families[dropFamily(what)] = {
      kind: 'counter',
      help: `${type}: frames that were dropped, by reason (drop-reasons)`,
      labels: [what, 'reason'],
    };
  }
  return families;
}

const gauge = (help: string, ...labels: string[]): Family => ({ kind: 'gauge', help, labels });
const counter = (help: string, ...labels: string[]): Family => ({ kind: 'counter', help, labels });

export const FAMILIES: Readonly<Record<string, Family>> = {
  wideplane_info: gauge('1; which wideplane, Node.js and kernel run', 'version', 'node', 'kernel'),
  wideplane_scrape_success: gauge('whether a daemon answered this scrape', 'daemon'),
  wideplane_scrape_duration_seconds: gauge('how long a daemon took for it', 'daemon'),

  wideplane_daemon_up: gauge('whether a daemon is ready, by what the supervisor knows', 'daemon'),
  wideplane_daemon_restarts_total: counter('how often a daemon died and was started again', 'daemon'),
  wideplane_daemon_resident_memory_bytes: gauge('resident memory of a daemon', 'daemon'),
  wideplane_daemon_start_time_seconds: gauge('when its process was started, seconds since 1970', 'daemon'),

  wideplane_interface_up: gauge('whether a net interface is up', 'interface'),
  wideplane_tunnel_up: gauge('whether a net tunnels tunnel is up', 'tunnel'),
  ...counted(),

  wideplane_listener_up: gauge('whether a gtm listener is open', 'listener'),
  wideplane_listener_queries_total: counter(
    'gtm listener: queries by outcome, as show has them (received, from zones, refused, …), over sockets and rings',
    'listener',
    'outcome',
  ),
  wideplane_zone_queries_total: counter('gtm zone: queries that it answered, by kind of answer', 'zone', 'answer'),
  wideplane_zone_serial: gauge('gtm zone: its serial', 'zone'),

  wideplane_wideip_status: gauge(`gtm wideip: its availability, ${STATUS}`, 'type', 'wideip', 'availability'),
  wideplane_wideip_requests_total: counter('gtm wideip: queries for it', 'type', 'wideip'),
  wideplane_wideip_resolutions_total: counter('gtm wideip: those of them that were resolved', 'type', 'wideip'),
  wideplane_wideip_decisions_total: counter('gtm wideip: how it was decided', 'type', 'wideip', 'decision'),
  wideplane_pool_status: gauge(`gtm pool: its availability, ${STATUS}`, 'type', 'pool', 'availability'),
  wideplane_pool_decisions_total: counter('gtm pool: how it was decided', 'type', 'pool', 'decision'),
  wideplane_pool_member_status: gauge(
    `member of a gtm pool: its availability, ${STATUS}`,
    'type',
    'pool',
    'member',
    'availability',
  ),
  wideplane_pool_member_answers_total: counter(
    'member of a gtm pool: answers with it, by mode',
    'type',
    'pool',
    'member',
    'mode',
  ),
  wideplane_server_status: gauge(`gtm server: its availability, ${STATUS}`, 'server', 'availability'),
  wideplane_virtual_server_status: gauge(
    `virtual server of a gtm server: its availability, ${STATUS}`,
    'server',
    'virtual_server',
    'availability',
  ),
  wideplane_ltm_pool_member_status: gauge(
    `member of an ltm pool: its availability, ${STATUS}`,
    'pool',
    'member',
    'availability',
  ),
  wideplane_ltm_virtual_status: gauge(`ltm virtual: its availability, ${STATUS}`, 'virtual', 'availability'),

  wideplane_iquery_connected: gauge('whether an address of a gtm server is connected over iQuery', 'server', 'address'),
  wideplane_iquery_state: gauge(
    'the state of a connection over iQuery, which is 1 for the one that it has',
    'server',
    'address',
    'state',
  ),
  wideplane_iquery_last_update_seconds: gauge('seconds since a server was last heard of', 'server', 'address'),
  wideplane_iquery_received_bytes_total: counter('octets received over iQuery', 'server', 'address'),
  wideplane_iquery_sent_bytes_total: counter('octets sent over iQuery', 'server', 'address'),
  wideplane_iquery_reconnects_total: counter('connections made anew', 'server', 'address'),
  wideplane_iquery_accepted_total: counter('connections of others over iQuery that were trusted'),
  wideplane_iquery_refused_total: counter(
    'connections over iQuery, of others or to servers, that were refused: by what was wrong with the certificate, because there was no TLS (handshake), or because too many had not shown theirs (crowd)',
    'reason',
  ),
  wideplane_certificate_expiry_seconds: gauge(
    'when a certificate ends, seconds since 1970: that of this machine, or the one that a server showed',
    'certificate',
  ),
};
