// Monitors as plain data: objects `gtm monitor TYPE` and `ltm monitor TYPE` become what probes and verdicts go by, and the rules that
// name them what they mean.

import { parseMonitorDestination } from '../../config/monitor-kinds.ts';
import { readMonitorRule } from '../../config/monitor-rule.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { wordsOf } from '../../config/sentence.ts';
import { openSecret } from '../../config/secret-box.ts';
import type { Properties, Value } from '../../config/value.ts';
import { formatBareAddress } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import {
  type Exchange,
  type FlapLimit,
  type Monitor,
  MONITOR_TYPES,
  type MonitorModule,
  type MonitorRule,
  type MonitorType,
  type ProbeSpec,
  type Timing,
  type TlsOptions,
} from '../../health/monitor.ts';

const MS_PER_SECOND = 1000;
/** Types whose probe is several packets (`probe-attempts`). */
const OF_PACKETS: ReadonlySet<MonitorType> = new Set(['icmp', 'gateway-icmp', 'udp', 'tcp-half-open']);

/** The module and type of a monitor's type of objects: `gtm monitor http`; undefined for any other. */
export function monitorTypeOf(path: string): { module: MonitorModule; type: MonitorType } | undefined {
  const [module, kind, word, ...rest] = path.split(' ');
  if ((module !== 'gtm' && module !== 'ltm') || kind !== 'monitor' || rest.length > 0) return undefined;
  const type = MONITOR_TYPES.find((each) => each === word);
  return type && { module, type };
}

/** The same for as long as the object is the same. Undefined: it is no monitor. */
export const describeMonitor = kept((object: AnyConfigObject): Monitor | undefined => {
  const kind = monitorTypeOf(object.type);
  if (kind === undefined) return undefined;
  const { module, type } = kind;
  const read = new Reader(object.properties);
  const { address, port } = ownPlace(read.text('destination'));
  return {
    module,
    type,
    name: object.name,
    timing: timingOf(module, type, read),
    probe: probeOf(type, read),
    isReverse: read.flag('reverse'),
    isTransparent: read.flag('transparent'),
    address,
    port,
    manualResume: read.flag('manual-resume'),
    ignoresDownResponse: read.flag('ignore-down-response'),
    flapLimit: flapLimitOf(read),
  };
});

/** Monitors by module and name. */
export type Monitors = ReadonlyMap<string, Monitor>;

export const monitorKey = (module: MonitorModule, name: string): string => `${module} ${name}`;

/** The same as before while all monitors are. */
export function describeMonitors(objects: Iterable<AnyConfigObject>, before: Monitors = new Map()): Monitors {
  const monitors = new Map<string, Monitor>();
  for (const object of objects) {
    const monitor = describeMonitor(object);
    if (monitor !== undefined) monitors.set(monitorKey(monitor.module, monitor.name), monitor);
  }
  const isSame = monitors.size === before.size && [...monitors].every(([key, monitor]) => before.get(key) === monitor);
  return isSame ? before : monitors;
}

/** What a rule means, or the names in it that no monitor has of those that can be probed here. */
export function describeRule(
  text: string,
  module: MonitorModule,
  monitors: Monitors,
): { readonly rule: MonitorRule } | { readonly missing: readonly string[] } {
  const { atLeast, names } = readMonitorRule(text);
  const found = names.map((name) => monitors.get(monitorKey(module, name)));
  const missing = names.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) return { missing };
  return { rule: { atLeast, monitors: found as Monitor[] } };
}

/** What a monitor probes instead of the address and the port of its target. */
function ownPlace(destination: string): { address: string | undefined; port: number | undefined } {
  const { address, port } = parseMonitorDestination(destination) ?? { address: undefined, port: undefined };
  return { address: address && formatBareAddress(address), port };
}

function timingOf(module: MonitorModule, type: MonitorType, read: Reader): Timing {
  const interval = read.seconds('interval');
  const timeout = read.seconds('timeout');
  const common = {
    interval,
    timeout,
    upInterval: read.seconds('up-interval'),
    timeUntilUp: read.seconds('time-until-up'),
  };
  // An LTM monitor has no such properties: one attempt may take as long as there is.
  if (module === 'ltm') {
    const probeTimeout = Math.min(timeout, Math.max(interval, MS_PER_SECOND));
    return { ...common, probeTimeout, probeAttempts: 1, probeInterval: 0 };
  }
  const isOfPackets = OF_PACKETS.has(type);
  return {
    ...common,
    probeTimeout: read.seconds('probe-timeout') || interval,
    probeAttempts: isOfPackets ? Math.max(1, read.number('probe-attempts')) : 1,
    probeInterval: isOfPackets ? read.seconds('probe-interval') : 0,
  };
}

function flapLimitOf(read: Reader): FlapLimit | undefined {
  const changes = read.number('flap-changes');
  return changes === 0
    ? undefined
    : {
        changes,
        window: read.seconds('flap-window'),
        hold: read.seconds('flap-hold'),
      };
}

function probeOf(type: MonitorType, read: Reader): ProbeSpec {
  switch (type) {
    case 'icmp':
    case 'gateway-icmp':
    case 'tcp-half-open':
    case 'bigip':
    case 'virtual-location':
      return { type };
    case 'tcp':
    case 'udp':
      return { type, exchange: exchangeOf(read) };
    case 'http':
      return { type, exchange: exchangeOf(read), ...credentialsOf(read) };
    case 'https':
      return {
        type,
        exchange: exchangeOf(read),
        ...credentialsOf(read),
        tls: tlsOf(read),
      };
    case 'dns':
      return {
        type,
        name: read.text('qname'),
        recordType: read.text('qtype') === 'aaaa' ? 'aaaa' : 'a',
        contains: oneOf(['query-type', 'any-type', 'anything'], read.text('answer-contains')),
        acceptsRcode: oneOf(['no-error', 'anything'], read.text('accept-rcode')),
        receive: read.text('recv'),
      };
    case 'external':
      return {
        type,
        run: read.text('run'),
        arguments: read.text('args'),
        variables: read.variables('user-defined'),
      };
  }
}

const exchangeOf = (read: Reader): Exchange => ({
  send: read.text('send'),
  receive: read.text('recv'),
  receiveDisable: read.text('recv-disable'),
});

const credentialsOf = (read: Reader): { username: string; password: string } => ({
  username: read.text('username'),
  password: read.secret('password'),
});

const tlsOf = (read: Reader): TlsOptions => ({
  ciphers: read.text('cipherlist'),
  certificate: read.text('cert'),
  key: read.text('key'),
  serverName: read.text('sni-server-name'),
  verify: read.flag('verify-certificate'),
  authorities: read.text('ca-file'),
});

/** The first is the default of a device. */
function oneOf<const W extends string>(words: readonly [W, ...W[]], text: string): W {
  return words.find((word) => word === text) ?? words[0];
}

/** Properties of a type of monitors that may not have one or another. */
class Reader {
  readonly #properties: Properties;

  constructor(properties: Properties) {
    this.#properties = properties;
  }

  #value(name: string): Value | undefined {
    return this.#properties[name];
  }

  /** `none` and absent are empty. */
  text(name: string): string {
    const value = this.#value(name);
    return typeof value === 'string' && value !== 'none' ? value : '';
  }

  number(name: string): number {
    const value = this.#value(name);
    return typeof value === 'number' ? value : 0;
  }

  seconds(name: string): number {
    return this.number(name) * MS_PER_SECOND;
  }

  flag(name: string): boolean {
    return this.#value(name) === true;
  }

  /** Empty where it cannot be opened: the target then refuses what is sent, and the reason is its. */
  secret(name: string): string {
    const sealed = this.text(name);
    if (sealed === '') return '';
    const opened = openSecret(sealed);
    return 'text' in opened ? opened.text : '';
  }

  /** Each is its name and its value, as they stand in a sentence. */
  variables(name: string): Record<string, string> {
    const value = this.#value(name);
    if (!Array.isArray(value)) return {};
    const pairs = (value as readonly string[]).map((sentence) => wordsOf(sentence) ?? []);
    return Object.fromEntries(pairs.map(([key = '', text = '']) => [key, text]));
  }
}
