// What is known of a watch and why, as lines for a person.

import type { InstanceExplanation, WatchExplanation } from './health-engine.ts';
import type { PastProbe } from './probe-history.ts';
import type { ProbePlace } from './probe.ts';
import { shownText } from './shown-text.ts';
import type { Watch, WatchKind } from './watch.ts';

const KINDS: Record<WatchKind, string> = {
  server: 'server',
  'virtual-server': 'virtual server',
  member: 'member of gtm pool',
  node: 'node',
  'pool-member': 'member of ltm pool',
  virtual: 'virtual',
};

export function explainWatch({ watch, verdict, now, monitors }: WatchExplanation): string[] {
  const since = `since ${timeText(verdict.since)}, ${durationText(now - verdict.since)}`;
  return [
    `${KINDS[watch.kind]} ${watch.key}: ${verdict.status} ${since}`,
    `  ${shownText(verdict.reason)}`,
    ...ruleLines(watch),
    ...monitors.flat().flatMap((instance) => instanceLines(instance, now)),
  ];
}

function ruleLines({ rule, places, unprobed }: Watch): string[] {
  const names = rule.monitors.map(({ name }) => name);
  if (names.length === 0) return unprobed === undefined ? [] : [`  ${unprobed}`];
  const all = names.length === 1 ? `${names[0]} must be up` : `${names.join(' and ')} must be up`;
  const text = rule.atLeast >= names.length ? all : `${rule.atLeast} of these must be up at least: ${names.join(', ')}`;
  const where = places.length > 1 ? `; a monitor is up when one of ${places.length} addresses answers it` : '';
  const why = unprobed === undefined ? [] : [`  ${unprobed}`];
  return [`  rule: ${text}${where}`, ...why];
}

function instanceLines(instance: InstanceExplanation, now: number): string[] {
  const { monitor, place, status, since, reason, probes } = instance;
  const { module, type, name } = monitor;
  const said = `${status} since ${timeText(since)}, ${durationText(now - since)}: ${shownText(reason)}`;
  return [
    `monitor ${module} ${type} ${name} at ${placeWords(place)}: ${said}`,
    ...stateLines(instance, now).map((line) => `  ${line}`),
    ...probes.flatMap((probe) => probeLines(probe, now).map((line) => `  ${line}`)),
  ];
}

function stateLines(instance: InstanceExplanation, now: number): string[] {
  const { monitor, status, isHeld, isFlapping, rising, lastChange, isRunning, nextProbeIn } = instance;
  const lines: string[] = [];
  if (lastChange !== undefined) {
    const { from, to, reason, at } = lastChange;
    lines.push(`went from ${from} to ${to} ${durationText(now - at)} ago: ${shownText(reason)}`);
  }
  if (isHeld) lines.push('manual-resume: it is down until it is resumed by hand, however well it answers');
  if (rising !== undefined) {
    const { goodFor, needed } = rising;
    const why = isFlapping ? 'it changed too often' : 'time-until-up';
    lines.push(
      `answers well for ${durationText(goodFor)}; is up after ${durationText(needed)} without a break: ${why}`,
    );
  } else if (isFlapping) lines.push('it changed too often, and does not answer well now');
  if (nextProbeIn === undefined) {
    lines.push('nothing is sent: others report on it');
    return lines;
  }
  const { interval, upInterval, timeout } = monitor.timing;
  const isUp = status === 'up' || status === 'disabled';
  const period = isUp && upInterval > 0 ? upInterval : interval;
  const running = isRunning ? '; a probe is on its way' : '';
  lines.push(
    `probed every ${durationText(period)}, down after ${durationText(timeout)} without a good answer; ` +
      `next probe in ${durationText(nextProbeIn)}${running}`,
  );
  return lines;
}

function probeLines({ at, verdict, took, reason, sent, received }: Readonly<PastProbe>, now: number): string[] {
  const lines = [
    `${timeText(at).slice(11, -4)} (${durationText(now - at)} ago) ${verdict} after ${Math.round(took)} ms: ` +
      shownText(reason),
  ];
  if (sent !== undefined) lines.push(`  sent: ${shownText(sent)}`);
  if (received !== undefined) lines.push(`  received: ${shownText(received)}`);
  return lines;
}

function placeWords({ family, address, port, via }: ProbePlace): string {
  const host = family === 6 && port !== 0 ? `[${address}]` : address;
  return `${host}${port === 0 ? '' : `:${port}`}${via === undefined ? '' : ` by way of ${via}`}`;
}

function timeText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 7 min`, `3 d 4 h`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 9950) return `${Math.max(0, Math.round(milliseconds / 100) / 10)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const units = [
    [86_400, 'd', 3600, 'h'],
    [3600, 'h', 60, 'min'],
    [60, 'min', 1, 's'],
  ] as const;
  const [large, largeName, small, smallName] = units.find(([unit]) => seconds >= unit)!;
  const rest = Math.floor((seconds % large) / small);
  const whole = `${Math.floor(seconds / large)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}
