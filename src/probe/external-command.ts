// The program of an external monitor: how it is called, and as whom. It is anybody's program, run because of the configuration:
// it must not be able to do, or to read, what the daemon can.
//
// setpriv(1) makes the process an account without rights before anything of the configuration gets to it; a shell then
// sets the variables, which come to it by its standard input: as arguments everybody could read them, and as the environment of
// setpriv they would reach a process that may still change its user.

import { readFileSync, statSync } from 'node:fs';
import { errorText } from '../core/errors.ts';
import type { Monitor, ProbeSpec } from '../health/monitor.ts';
import type { ProbePlace } from '../health/probe.ts';

export type ExternalSpec = Extract<ProbeSpec, { type: 'external' }>;

/** Whom nothing belongs to: `nobody`, and its group. */
const NOBODY = 65534;
const PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin';
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Bits of include/uapi/linux/capability.h. */
const SETGID = 1n << 6n;
const SETUID = 1n << 7n;
const SETPCAP = 1n << 8n;

export type ExternalCommand = {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** For the standard input of the shell. */
  readonly script: string;
};

export type Rights = { readonly mayChangeUser: boolean; readonly mayDropBounds: boolean };

/** What this process may, from /proc/self/status. */
export function ownRights(status = readFileSync('/proc/self/status', 'utf8')): Rights {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return {
    mayChangeUser: (effective & SETGID) !== 0n && (effective & SETUID) !== 0n,
    mayDropBounds: (effective & SETPCAP) !== 0n,
  };
}

/** Arguments of setpriv(1) that leave a child without any right. */
export function withoutRights({ mayDropBounds }: Rights): string[] {
  return [
    '--no-new-privs',
    '--pdeathsig=KILL',
    ...(mayDropBounds ? ['--bounding-set=-all'] : []),
    '--inh-caps=-all',
    '--ambient-caps=-all',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    '--',
  ];
}

/** Its address as a BIG-IP writes it: that of IPv4 within IPv6 (RFC 4291, section 2.5.5.2). */
export const nodeAddress = ({ family, address }: ProbePlace): string => (family === 4 ? `::ffff:${address}` : address);

/** How to call the program of a monitor, or why it cannot be called. */
export function externalCommand(monitor: Monitor, place: ProbePlace, rights: Rights): ExternalCommand | string {
  const { run, arguments: extra, variables } = monitor.probe as ExternalSpec;
  if (!run.startsWith('/')) return `"${run}" is not the path of a program: run has to begin with /`;
  const fault = programFault(run);
  if (fault !== undefined) return fault;
  if (!rights.mayChangeUser) {
    return 'healthd may not run programs as nobody: it lacks CAP_SETUID or CAP_SETGID; start wideplane as root';
  }
  const address = nodeAddress(place);
  const wrong = Object.keys(variables).find((name) => !NAME.test(name));
  if (wrong !== undefined) return `"${wrong}" is not the name of a variable`;
  const all: Record<string, string> = {
    PATH,
    ...variables,
    MON_TMPL_NAME: monitor.name,
    NODE_IP: address,
    NODE_NAME: place.address,
    NODE_PORT: String(place.port),
    ARGS_I: extra,
    RUN_I: run,
  };
  const exports = Object.entries(all).map(([name, value]) => `export ${name}=${quote(value)}\n`);
  const words = extra.split(/\s+/).filter((word) => word !== '');
  return {
    command: 'setpriv',
    arguments: [...withoutRights(rights), '/bin/sh', '-s', '--', run, address, String(place.port), ...words],
    environment: { PATH },
    script: `ulimit -c 0\n${exports.join('')}exec "$@" </dev/null\n`,
  };
}

const quote = (text: string): string => `'${text.replaceAll('\0', '').replaceAll("'", String.raw`'\''`)}'`;

function programFault(path: string): string | undefined {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o170000) !== 0o100000) return `cannot run ${path}: it is not a file`;
    return (mode & 0o111) === 0 ? `cannot run ${path}: it is not executable` : undefined;
  } catch (error) {
    return `cannot run ${path}: ${errorText(error)}`;
  }
}
