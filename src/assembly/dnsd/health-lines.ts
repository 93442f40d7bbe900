// What is known of health and load, as lines for a person.

import type { Availability } from '../../gtm/availability.ts';
import { type StatusReports, statusName } from '../../gtm/status-report.ts';

const MICROSECONDS_PER_MILLISECOND = 1000;
const PER_THOUSAND_IN_PER_CENT = 10;

/** `now`: seconds since 1970. Servers with their virtual servers below them, paths, and members that wait. */
export function healthLines(availability: Availability, reports: StatusReports, now: number): string[] {
  const { graph, index, facts } = availability;
  const lines: string[] = [];
  graph.servers.forEach(({ name }, server) => {
    const { cpu, memoryAvailable, ...rest } = facts.servers.get(name) ?? {};
    const numbers = { ...loadOf(rest), 'cpu %': cpu, 'memory KB': memoryAvailable };
    lines.push(lineOf(name, reports.statusOf({ kind: 'server', number: server }), numbers));
    const { first, to } = graph.virtualServersOf;
    for (let at = first[server]!; at < first[server + 1]!; at++) {
      const number = to[at]!;
      const { key } = index.virtualServers[number]!;
      const { capacity, score, ...load } = facts.virtualServers.get(key) ?? {};
      const status = reports.statusOf({ kind: 'virtual-server', number });
      lines.push(`  ${lineOf(key, status, { ...loadOf(load), capacity, score })}`);
    }
  });
  for (const { client, datacenter, roundTripTime, hops, completionRate, expires } of facts.paths.values()) {
    const numbers = {
      'rtt ms': roundTripTime === undefined ? undefined : roundTripTime / MICROSECONDS_PER_MILLISECOND,
      hops,
      'completion %': completionRate === undefined ? undefined : completionRate / PER_THOUSAND_IN_PER_CENT,
    };
    const left = expires > now ? `good for ${Math.ceil(expires - now)} s` : 'expired';
    lines.push(`path ${client} to ${datacenter}: ${left}${numbersText(numbers)}`);
  }
  for (const member of facts.held) lines.push(`waits to be resumed: ${member}`);
  return lines;
}

type Numbers = Readonly<Record<string, number | undefined>>;

const loadOf = (load: {
  readonly connections?: number | undefined;
  readonly packetsPerSecond?: number | undefined;
  readonly kilobytesPerSecond?: number | undefined;
}): Numbers => ({
  connections: load.connections,
  'packets/s': load.packetsPerSecond,
  'kilobytes/s': load.kilobytesPerSecond,
});

function lineOf(name: string, report: ReturnType<StatusReports['statusOf']>, numbers: Numbers): string {
  return `${name}: ${statusName(report.status)} (${report.reason})${numbersText(numbers)}`;
}

function numbersText(numbers: Numbers): string {
  return Object.entries(numbers)
    .filter(([, value]) => value !== undefined)
    .map(([label, value]) => `, ${label} ${value}`)
    .join('');
}
