// What is known of health and load, as lines for a person: how each thing is, and below it who said what, and since when.

import type { Availability } from '../../gtm/availability.ts';
import type { KnownFacts } from '../../gtm/fact-layers.ts';
import type { FactLayer, MemberFacts, ServerFacts, VirtualServerFacts } from '../../gtm/facts.ts';
import { type StatusReports, statusName } from '../../gtm/status-report.ts';

const MICROSECONDS_PER_MILLISECOND = 1000;
const PER_THOUSAND_IN_PER_CENT = 10;

export type HealthListing = {
  readonly availability: Availability;
  readonly reports: StatusReports;
  readonly known: KnownFacts;
  /** How old the numbers of a machine are: ` 3 s ago`, for a person. */
  readonly ageOf: (server: string) => string;
  /** Seconds since 1970. */
  readonly now: number;
};

/** Servers with their virtual servers below them, members of which something is said, paths, and members that wait. */
export function healthLines({ availability, reports, known, ageOf, now }: HealthListing): string[] {
  const { graph, index, facts } = availability;
  const lines: string[] = [];
  const layers = (indent: string, server: string, of: (layer: FactLayer) => AnyFacts | undefined): void => {
    const [hand, measured, mesh] = [of(known.hand), of(known.measured), of(known.mesh)];
    if (hand !== undefined) lines.push(`${indent}by hand${saidText(hand)}`);
    if (measured !== undefined) lines.push(`${indent}measured${saidText(measured)}`);
    if (mesh !== undefined) lines.push(`${indent}by iQuery${ageOf(server)}${saidText(mesh)}`.replace(': ,', ':'));
  };
  graph.servers.forEach(({ name }, server) => {
    const status = reports.statusOf({ kind: 'server', number: server });
    lines.push(lineOf(name, status, numbersOf(facts.servers.get(name))));
    layers('  ', name, ({ servers }) => servers.get(name));
    const { first, to } = graph.virtualServersOf;
    for (let at = first[server]!; at < first[server + 1]!; at++) {
      const number = to[at]!;
      const { key } = index.virtualServers[number]!;
      const ofVirtualServer = reports.statusOf({ kind: 'virtual-server', number });
      lines.push(`  ${lineOf(key, ofVirtualServer, numbersOf(facts.virtualServers.get(key)))}`);
      layers('    ', name, ({ virtualServers }) => virtualServers.get(key));
    }
  });
  for (const key of facts.members.keys()) {
    const number = graph.memberNumbers().get(key)?.[0];
    if (number === undefined) continue;
    lines.push(`member ${lineOf(key, reports.statusOf({ kind: 'member', number }), {})}`);
    layers('  ', '', ({ members }) => members.get(key));
  }
  for (const path of facts.paths.values()) {
    const { client, datacenter, roundTripTime, hops, completionRate, expires, isMeasured } = path;
    const numbers = {
      'rtt ms': roundTripTime === undefined ? undefined : roundTripTime / MICROSECONDS_PER_MILLISECOND,
      hops,
      'completion %': completionRate === undefined ? undefined : completionRate / PER_THOUSAND_IN_PER_CENT,
    };
    const left = expires > now ? `good for ${Math.ceil(expires - now)} s` : 'expired';
    const who = isMeasured === true ? 'by iQuery, ' : '';
    lines.push(`path ${client} to ${datacenter}: ${who}${left}${numbersText(numbers)}`);
  }
  for (const member of facts.held) lines.push(`waits to be resumed: ${member}`);
  return lines;
}

type Numbers = Readonly<Record<string, number | undefined>>;

type AnyFacts = MemberFacts & ServerFacts & VirtualServerFacts;

function numbersOf(facts: AnyFacts | undefined): Numbers {
  if (facts === undefined) return {};
  return {
    connections: facts.connections,
    'packets/s': facts.packetsPerSecond,
    'kilobytes/s': facts.kilobytesPerSecond,
    capacity: facts.capacity,
    score: facts.score,
    'cpu %': facts.cpu,
    'memory KB': facts.memoryAvailable,
  };
}

/** ` since 2026-11-30 14:03:01 UTC: offline, no power`, behind who says it. */
function saidText(facts: AnyFacts): string {
  const { status, reason, since } = facts;
  const when = since === undefined ? '' : ` since ${new Date(since).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const words = [status, reason].filter((word) => word !== undefined && word !== '');
  return `${when}: ${words.join(', ')}${numbersText(numbersOf(facts))}`.replace(': , ', ': ');
}

function lineOf(name: string, report: ReturnType<StatusReports['statusOf']>, numbers: Numbers): string {
  return `${name}: ${statusName(report.status)} (${report.reason})${numbersText(numbers)}`;
}

function numbersText(numbers: Numbers): string {
  return Object.entries(numbers)
    .filter(([, value]) => value !== undefined)
    .map(([label, value]) => `, ${label} ${value}`)
    .join('');
}
