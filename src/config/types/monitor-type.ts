// What monitors of all types have, said once for both modules: timing, anti-flap, and the checks of these.

import type { MonitorModule, MonitorType } from '../../health/monitor.ts';
import { choice, integer, reference, string, toggle } from '../kinds.ts';
import { type AnyConfigObject, objectType } from '../object-type.ts';
import { parseMonitorDestination } from '../monitor-kinds.ts';
import { ordered } from '../ordered.ts';
import type { PropertyMap } from '../property.ts';
import { type ObjectContext, remembered } from '../remembered.ts';
import type { Properties } from '../value.ts';

/** A day, in seconds: no interval and no timeout is longer. */
const MAX_SECONDS = 86_400;

export const seconds = (value: number, help: string, min = 1) =>
  integer({ min, max: MAX_SECONDS }, { default: value, help });

/** Anti-flap, which no BIG-IP has. */
const FLAPPING = {
  'flap-changes': integer(
    { min: 0, max: 1000 },
    {
      default: 0,
      help: 'Changes between up and down within flap-window from which on the target is down until it has held; 0: it may flap.',
      extension: true,
    },
  ),
  'flap-hold': integer(
    { min: 1, max: MAX_SECONDS },
    {
      default: 60,
      help: 'Seconds for which a target that flapped has to answer without a break, so that it is up again.',
      extension: true,
    },
  ),
  'flap-window': integer(
    { min: 1, max: MAX_SECONDS },
    { default: 60, help: 'Seconds within which changes are counted for flap-changes.', extension: true },
  ),
};

/** How long a target that answers badly, or not at all, is still up, by module. */
const TIMING = {
  gtm: (interval: number, timeout: number) => ({
    'ignore-down-response': toggle({
      default: false,
      help: 'Whether only timeout takes a target down, however bad its answers are.',
    }),
    interval: seconds(interval, 'Seconds between two probes.'),
    timeout: seconds(timeout, 'Seconds without a good answer after which the target is down: more than interval.'),
  }),
  ltm: (interval: number, timeout: number) => ({
    interval: seconds(interval, 'Seconds between two probes.'),
    'time-until-up': seconds(
      0,
      'Seconds for which answers must be good, so that the target is up; 0: the first does.',
      0,
    ),
    timeout: seconds(timeout, 'Seconds without a good answer after which the target is down: more than interval.'),
    'up-interval': seconds(0, 'Seconds between two probes while the target is up; 0: as interval.', 0),
  }),
};

/** gtm: what one probe may take. */
export const PROBE_TIMEOUT = {
  'probe-timeout': seconds(
    5,
    'Seconds in which a probe must be answered; where it is of several packets, the last one.',
  ),
};

/** gtm, types whose probe is a packet or a few. */
export const PROBE_ATTEMPTS = {
  ...PROBE_TIMEOUT,
  'probe-attempts': integer({ min: 1, max: 100 }, { default: 3, help: 'Packets of one probe, until one is answered.' }),
  'probe-interval': integer({ min: 1, max: 60 }, { default: 1, help: 'Seconds between two packets of one probe.' }),
};

/** ltm, types that can stay down. */
export const MANUAL_RESUME = {
  'manual-resume': toggle({
    default: false,
    help: 'Whether a target that went down stays down until somebody resumes it: wideplane health resume.',
  }),
};

/** ltm, types that measure. */
export const ADAPTIVE = {
  adaptive: toggle({ default: false, help: 'Whether a target that gets slower is down.', inert: true }),
  'adaptive-divergence-type': choice(['absolute', 'relative'], {
    default: 'relative',
    help: 'What adaptive-divergence-value is: milliseconds, or per cent of the mean.',
    inert: true,
  }),
  'adaptive-divergence-value': integer(
    { min: 1, max: 10_000 },
    { default: 25, help: 'How much slower than the mean a target may answer.', inert: true },
  ),
  'adaptive-limit': integer(
    { min: 1, max: 10_000 },
    { default: 200, help: 'Milliseconds that an answer may take in any case.', inert: true },
  ),
  'adaptive-sampling-timespan': integer(
    { min: 1, max: MAX_SECONDS },
    { default: 300, help: 'Seconds over which the mean is taken.', inert: true },
  ),
};

export const TRANSPARENT = {
  transparent: toggle({
    default: false,
    help: 'Whether the probe goes to destination, by way of what is watched: that is its next hop.',
  }),
};

export const REVERSE = {
  reverse: toggle({ default: false, help: 'Whether finding recv in an answer means that the target is down.' }),
};

type Names<M extends MonitorModule, T extends MonitorType> = {
  readonly module: M;
  readonly type: T;
  /** Objects that are always there, by their names in /Common; the first is the one that the others inherit from. */
  readonly builtIn: Readonly<Record<string, Properties>>;
  readonly help: string;
  readonly example: string;
  /** No BIG-IP has the type. */
  readonly extension?: true;
  /** Seconds of interval and timeout, where they are not those of nearly all types. */
  readonly timing?: readonly [number, number];
  check?(monitor: AnyConfigObject, context: ObjectContext): void;
};

const TIMES = { gtm: [30, 120], ltm: [5, 16] } as const;

/** A type of monitors with these properties besides those of all. */
export function monitorType<const M extends MonitorModule, const T extends MonitorType, const P extends PropertyMap>(
  options: Names<M, T>,
  own: P,
) {
  const { module, type, help, example, extension, builtIn, timing = TIMES[module] } = options;
  const self = { path: `${module} monitor ${type}` as const, label: 'Monitor', naming: 'full-path' } as const;
  const properties = {
    ...FLAPPING,
    ...(TIMING[module](...timing) as ReturnType<(typeof TIMING)[M]>),
    ...own,
    'defaults-from': reference([self], { help: 'The monitor that gives every value which is not set here.' }),
    description: string({ help: 'Text for people.' }),
  };
  const checked = remembered((monitor: AnyConfigObject, context) => {
    checkTimes(monitor, context);
    checkExchange(monitor, context);
    options.check?.(monitor, context);
  });
  return objectType({
    ...self,
    runBy: 'healthd',
    help,
    example,
    sync: module === 'gtm' ? 'gtm' : 'device-group',
    nameSpace: `${module} monitor`,
    inheritsBy: 'defaults-from',
    builtIn: builtInOf(builtIn),
    ...(extension === undefined ? {} : { extension }),
    properties: ordered(properties),
    check(objects, context) {
      for (const object of objects) checked(object, context);
    },
  });
}

/** By full paths; those behind the first inherit from it. */
function builtInOf(builtIn: Readonly<Record<string, Properties>>): Readonly<Record<string, Properties>> {
  const [root] = Object.keys(builtIn);
  const entries = Object.entries(builtIn).map(([name, own]): [string, Properties] => [
    `/Common/${name}`,
    name === root ? own : { 'defaults-from': `/Common/${root}`, ...own },
  ]);
  return Object.fromEntries(entries);
}

/** Says that a value of a monitor is impossible. */
export function refuseValue(
  monitor: AnyConfigObject,
  context: ObjectContext,
  property: string,
  text: string,
  hint: string,
): void {
  const { name, properties } = monitor;
  const value = properties[property];
  const shown = typeof value === 'string' || typeof value === 'number' ? { value: String(value) } : {};
  context.error(monitor, `Monitor (${name}): ${text}.`, { property, ...shown, hint });
}

const numberOf = ({ properties }: AnyConfigObject, name: string): number =>
  (properties[name] as number | undefined) ?? 0;

function checkTimes(monitor: AnyConfigObject, context: ObjectContext): void {
  const timeout = numberOf(monitor, 'timeout');
  for (const property of ['interval', 'up-interval', 'probe-timeout'] as const) {
    const value = numberOf(monitor, property);
    if (value < timeout || (property === 'probe-timeout' && value === timeout)) continue;
    const text = `${property} ${value} must be less than timeout ${timeout}`;
    const hint = `A target would be down before it is probed again: F5 recommends a timeout of three times the interval and a second, here ${3 * value + 1}.`;
    refuseValue(monitor, context, property, text, hint);
  }
  const packets = numberOf(monitor, 'probe-attempts');
  const longest = (packets - 1) * numberOf(monitor, 'probe-interval') + numberOf(monitor, 'probe-timeout');
  if (packets > 0 && longest > timeout) {
    const text = `Monitor (${monitor.name}): a probe of ${packets} packets takes up to ${longest} s, longer than timeout ${timeout}.`;
    context.warn(monitor, text, { property: 'probe-attempts', value: String(packets) });
  }
  if (numberOf(monitor, 'flap-changes') === 0) {
    for (const property of ['flap-hold', 'flap-window'] as const) {
      if (numberOf(monitor, property) === FLAPPING[property].default) continue;
      context.warn(monitor, `Monitor (${monitor.name}): ${property} has no effect without flap-changes.`, { property });
    }
  }
}

/** What is sent, what has to come back, and by which way. */
function checkExchange(monitor: AnyConfigObject, context: ObjectContext): void {
  const { recv, 'recv-disable': receiveDisable, reverse, transparent, destination } = monitor.properties;
  const refuse = (property: string, text: string, hint: string): void => {
    refuseValue(monitor, context, property, text, hint);
  };
  if (reverse === true && receiveDisable !== undefined) {
    refuse(
      'recv-disable',
      'recv-disable does not go with reverse enabled',
      'Write recv-disable none, or reverse disabled.',
    );
  }
  const hasAnswer = monitor.properties['answer-contains'] !== undefined;
  if (reverse === true && recv === undefined && !hasAnswer) {
    refuse(
      'reverse',
      'reverse enabled needs recv',
      'Add recv, a regular expression that a target which is down answers.',
    );
  }
  if (reverse !== true && receiveDisable !== undefined && recv === undefined) {
    const text = `Monitor (${monitor.name}): recv-disable has no effect without recv: any answer means that the target is up.`;
    context.warn(monitor, text, { property: 'recv-disable' });
  }
  if (transparent !== true || typeof destination !== 'string') return;
  if (parseMonitorDestination(destination)?.address !== undefined) return;
  const hint = 'Add destination ADDRESS:PORT: what is watched is the next hop to it.';
  refuse('transparent', `transparent enabled needs an address in destination, not ${destination}`, hint);
}
