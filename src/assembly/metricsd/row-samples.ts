// What one row of a `show` says, as samples. Where the daemon shows something else than is expected there is no sample of it.

import { COUNTERS } from '../../core/counters.ts';
import type { ShowRow } from '../../ipc/schema.ts';
import { COUNTED_TYPES, counterFamily, dropFamily, type Sample } from '../../core/metrics.ts';
import { REFUSED_FOR, refusedLabel } from '../iqueryd/refusals.ts';

/** Those that gtm and ltm have between them. */
const AVAILABILITIES = ['available', 'unavailable', 'offline', 'unknown'];
const IQUERY_STATES = ['not-connected', 'connecting', 'connected', 'backlogged'];

type Rows = (row: ShowRow, type: string) => Sample[];

const sample = (family: string, labels: readonly string[], value: unknown): Sample[] =>
  typeof value === 'number' && Number.isFinite(value) ? [{ family, labels, value }] : [];

const sectionOf = (row: ShowRow, title: string): Readonly<Record<string, string | number>> =>
  row.sections?.find((section) => section.title === title)?.stats ?? {};

const lastWord = (type: string): string => type.slice(type.lastIndexOf(' ') + 1);

function oneOf(family: string, labels: readonly string[], states: readonly string[], state: unknown): Sample[] {
  if (typeof state !== 'string') return [];
  return states.map((each) => ({ family, labels: [...labels, each], value: each === state ? 1 : 0 }));
}

/** Rows of a table as records by column. */
function* cells(row: ShowRow, title: string): Generator<Readonly<Record<string, string | number>>, void> {
  if (row.table?.title !== title) return;
  const { columns, rows } = row.table;
  for (const values of rows) yield Object.fromEntries(columns.map((column, at) => [column, values[at] ?? '']));
}

const counted: Rows = (row, type) => {
  const what = COUNTED_TYPES[type as keyof typeof COUNTED_TYPES];
  const drops = Object.entries(row.drops ?? {}).map(([reason, value]): Sample => ({
    family: dropFamily(what),
    labels: [row.name, reason],
    value,
  }));
  // What belongs to no tunnel is a row of its own, with drops alone.
  const counts = COUNTERS.flatMap(({ label }) => sample(counterFamily(what, label), [row.name], row.stats?.[label]));
  const status = row.stats?.Status;
  const hasStatus = typeof status === 'string' && (what === 'interface' || what === 'tunnel');
  const up = hasStatus ? sample(`wideplane_${what}_up`, [row.name], status === 'up' ? 1 : 0) : [];
  return [...up, ...counts, ...drops];
};

const listener: Rows = (row) => {
  const status = row.stats?.Status;
  const up = sample('wideplane_listener_up', [row.name], String(status).startsWith('up') ? 1 : 0);
  const outcomes = new Map<string, number>();
  for (const { title, stats } of row.sections ?? []) {
    if (!title.startsWith('Queries')) continue;
    for (const [outcome, value] of Object.entries(stats)) {
      if (typeof value === 'number') outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + value);
    }
  }
  return [
    ...up,
    ...[...outcomes].map(([outcome, value]): Sample => {
      return { family: 'wideplane_listener_queries_total', labels: [row.name, outcome], value };
    }),
  ];
};

const zone: Rows = (row) => [
  ...sample('wideplane_zone_serial', [row.name], row.stats?.Serial),
  ...Object.entries(sectionOf(row, 'Queries')).flatMap(([answer, value]) =>
    sample('wideplane_zone_queries_total', [row.name, answer], value),
  ),
];

const wideIp: Rows = (row, type) => {
  const labels = [lastWord(type), row.name];
  const requests = sectionOf(row, 'Requests');
  return [
    ...oneOf('wideplane_wideip_status', labels, AVAILABILITIES, sectionOf(row, 'Status').Availability),
    ...sample('wideplane_wideip_requests_total', labels, requests.Total),
    ...sample('wideplane_wideip_resolutions_total', labels, requests.Resolutions),
    ...Object.entries(sectionOf(row, 'Load Balancing')).flatMap(([decision, value]) =>
      sample('wideplane_wideip_decisions_total', [...labels, decision], value),
    ),
  ];
};

const pool: Rows = (row, type) => {
  const labels = [lastWord(type), row.name];
  const members = [...cells(row, 'Members')].flatMap((member) => {
    const of = [...labels, String(member.Member)];
    return [
      ...oneOf('wideplane_pool_member_status', of, AVAILABILITIES, member.Availability),
      ...['Preferred', 'Alternate', 'Fallback'].flatMap((mode) =>
        sample('wideplane_pool_member_answers_total', [...of, mode.toLowerCase()], member[mode]),
      ),
    ];
  });
  return [
    ...oneOf('wideplane_pool_status', labels, AVAILABILITIES, sectionOf(row, 'Status').Availability),
    ...Object.entries(sectionOf(row, 'Load Balancing')).flatMap(([decision, value]) =>
      sample('wideplane_pool_decisions_total', [...labels, decision], value),
    ),
    ...members,
  ];
};

const server: Rows = (row) => [
  ...oneOf('wideplane_server_status', [row.name], AVAILABILITIES, sectionOf(row, 'Status').Availability),
  ...[...cells(row, 'Virtual servers')].flatMap((each) =>
    oneOf(
      'wideplane_virtual_server_status',
      [row.name, String(each['Virtual server'])],
      AVAILABILITIES,
      each.Availability,
    ),
  ),
];

const ltmPool: Rows = (row) =>
  [...cells(row, 'Pool Members')].flatMap((member) =>
    oneOf('wideplane_ltm_pool_member_status', [row.name, String(member.Member)], AVAILABILITIES, member.Availability),
  );

const ltmVirtual: Rows = (row) =>
  oneOf('wideplane_ltm_virtual_status', [row.name], AVAILABILITIES, sectionOf(row, 'Status').Availability);

/** Which rows are asked of which daemon. */
export const SHOWN: Readonly<Record<string, readonly (readonly [type: string, samples: Rows])[]>> = {
  dataplaned: Object.keys(COUNTED_TYPES).map((type) => [type, counted] as const),
  dnsd: [
    ['gtm listener', listener],
    ['gtm zone', zone],
    ['gtm server', server],
    ...['a', 'aaaa', 'cname', 'mx', 'naptr', 'srv'].flatMap(
      (type) =>
        [
          [`gtm wideip ${type}`, wideIp],
          [`gtm pool ${type}`, pool],
        ] as const,
    ),
  ],
  healthd: [
    ['ltm pool', ltmPool],
    ['ltm virtual', ltmVirtual],
  ],
  iqueryd: [['gtm iquery', iquery]],
};

function iquery(row: ShowRow): Sample[] {
  const { Server: server, State: state, ...stats } = row.stats ?? {};
  const ends = secondsOf(stats['Cert Expiration Date']);
  // Who dials this machine has a row without a server.
  if (typeof server !== 'string') {
    return [
      ...sample('wideplane_certificate_expiry_seconds', ['this machine'], ends),
      ...sample('wideplane_iquery_accepted_total', [], stats.Accepted),
      ...REFUSED_FOR.flatMap((reason) =>
        sample('wideplane_iquery_refused_total', [reason], stats[refusedLabel(reason)] ?? 0),
      ),
    ];
  }
  const labels = [server, row.name];
  return [
    ...oneOf('wideplane_iquery_state', labels, IQUERY_STATES, state),
    ...sample('wideplane_iquery_connected', labels, state === 'connected' ? 1 : 0),
    ...sample('wideplane_iquery_last_update_seconds', labels, ageOf(stats['Last Update'])),
    ...sample('wideplane_iquery_received_bytes_total', labels, stats['Bytes In']),
    ...sample('wideplane_iquery_sent_bytes_total', labels, stats['Bytes Out']),
    ...sample('wideplane_iquery_reconnects_total', labels, stats.Reconnects),
    ...sample('wideplane_certificate_expiry_seconds', [`${server} ${row.name}`], ends),
  ];
}

/** Of `2026-03-04 05:06:07 UTC`, seconds since 1970. */
function secondsOf(text: unknown): number | undefined {
  if (typeof text !== 'string') return undefined;
  const match = /^(\S+) (\S+) UTC$/.exec(text);
  return match === null ? undefined : Date.parse(`${match[1]!}T${match[2]!}Z`) / 1000;
}

/** Of `1.2 s ago`. */
function ageOf(text: unknown): number | undefined {
  const match = typeof text === 'string' ? /^([\d.]+) s ago$/.exec(text) : null;
  return match === null ? undefined : Number(match[1]);
}
