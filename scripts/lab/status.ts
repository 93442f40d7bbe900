// The state of the lab as text: tunnels with their rates, learned stations, drops by name, and the numbered traffic.

import type { ShowRow } from '../../src/ipc/schema.ts';
import type { SequenceReport, UdpSequence } from '../../test/interop/harness/traffic.ts';
import type { Lab } from './topology.ts';

export type Flow = { name: string; sequence: UdpSequence };

/** What was read at one moment; two of them make rates. */
export type Sample = {
  atMs: number;
  sites: { name: string; tunnels: ShowRow[]; stations: Map<string, number> }[];
  flows: { name: string; report: SequenceReport }[];
};

const PICTURE = `
                                            ┌─ to-kernel ── Linux kernel ───────── host-b 172.16.0.2
  host-a ── [ site-1: wideplane ] ── wan ───┼─ to-switch ── Open vSwitch ───────── host-c 172.16.0.3
  172.16.0.1                                └─ to-site-2 ── [ site-2: wideplane ] ─ host-d 172.16.0.4
`;

export async function takeSample(lab: Lab, flows: readonly Flow[]): Promise<Sample> {
  const sites = await Promise.all(
    lab.sites.map(async ({ name, wideplane }) => {
      const tables = await wideplane.show('net fdb tunnel');
      const stations = new Map(tables.map((row) => [row.name, row.table?.rows.length ?? 0]));
      return { name, tunnels: await wideplane.show('net tunnels tunnel'), stations };
    }),
  );
  const reports = await Promise.all(
    flows.map(async ({ name, sequence }) => ({ name, report: await sequence.report() })),
  );
  return { atMs: performance.now(), sites, flows: reports };
}

export function renderStatus(sample: Sample, before: Sample | undefined): string {
  const seconds = before === undefined ? 0 : (sample.atMs - before.atMs) / 1000;
  const rate = (site: number, row: ShowRow, label: string, scale: number): string => {
    const earlier = before?.sites[site]?.tunnels.find(({ name }) => name === row.name);
    if (earlier === undefined || seconds === 0) return '-';
    const grown = Number(row.stats?.[label] ?? 0) - Number(earlier.stats?.[label] ?? 0);
    return ((grown * scale) / seconds).toFixed(scale === 1 ? 0 : 2);
  };
  const tunnels = sample.sites.flatMap(({ name, tunnels, stations }, site) =>
    tunnels
      .filter(({ stats }) => stats !== undefined)
      .map((row) => [
        name,
        bare(row.name),
        String(row.stats?.Status ?? '-'),
        String(row.stats?.['Remote Address'] ?? '-'),
        String(row.stats?.Key ?? '-'),
        rate(site, row, 'Incoming Frames', 1),
        rate(site, row, 'Incoming Octets', 8e-6),
        rate(site, row, 'Outgoing Frames', 1),
        rate(site, row, 'Outgoing Octets', 8e-6),
        String(stations.get(row.name) ?? 0),
      ]),
  );
  const drops = sample.sites.flatMap(({ name, tunnels }) =>
    tunnels.flatMap((row) =>
      Object.entries(row.drops ?? {}).map(([reason, count]) => [name, bare(row.name), reason, String(count)]),
    ),
  );
  const flows = sample.flows.map(({ name, report }) => [
    name,
    seconds === 0 ? '-' : (report.received / seconds).toFixed(0),
    String(report.lost),
    String(report.largestGapMs),
  ]);
  return [
    PICTURE,
    table(['SITE', 'TUNNEL', 'STATUS', 'REMOTE', 'VNI', 'IN/S', 'MBIT/S', 'OUT/S', 'MBIT/S', 'FDB'], tunnels),
    table(['DROPPED AT', 'TUNNEL', 'REASON', 'FRAMES'], drops.length === 0 ? [['-', '-', 'none', '0']] : drops),
    ...(flows.length === 0 ? [] : [table(['NUMBERED UDP', 'PER SECOND', 'LOST', 'LARGEST GAP MS'], flows)]),
  ].join('\n');
}

/** Columns as wide as their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd();
  return [line(header), ...rows.map(line), ''].join('\n');
}

const bare = (path: string): string => path.replace(/^\/Common\//, '');
