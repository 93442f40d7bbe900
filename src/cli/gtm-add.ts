// `wideplane gtm-add`: this machine becomes a member of another's synchronisation group, whose configuration it takes. Returns the exit code.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '../core/errors.ts';
import { hostAddresses } from '../net/host-addresses.ts';
import { RemoteError, RemoteMachine, type RemoteOptions } from './remote-machine.ts';
import { TmshClient } from './tmsh-client.ts';
import { checkClock, exchangeCertificates, exchangeOf } from './trust-exchange.ts';

export type GtmAddFlags = RemoteOptions & {
  readonly state: string;
  readonly ignoreClock: boolean;
  /** Does not ask. */
  readonly yes: boolean;
  /** Where iQuery reaches the member; default: what its name means. */
  readonly address?: string;
};

/** Seconds for a connection over iQuery, and for the configuration to come by it. */
const CONNECT_SECONDS = 30;
const TAKE_SECONDS = 60;
const POLL_MS = 250;

const WARNING = `WARNING: the configuration of wide IPs, pools, servers, datacenters, monitors of them and zones on THIS machine is replaced
by that of the group. What runs now is saved beside it first. The group's is left as it is.
`;

/** What dials the member until the group's own servers are here; it goes with what is replaced. */
const BOOTSTRAP = 'gtm-add-bootstrap';

export async function gtmAdd(host: string, flags: GtmAddFlags): Promise<number> {
  const tmsh = new TmshClient(resolve(flags.state), 'tmsh -c');
  let remote: RemoteMachine | undefined;
  try {
    say(`Enter the password for ${host} if prompted`);
    remote = await RemoteMachine.open(host, flags);
    const member = remote;
    if (member.facts.kind === 'bigip') {
      throw new RemoteError(
        `${host} is a BIG-IP, whose group speaks what only BIG-IPs read: wideplane cannot be a member. ` +
          'Define it there as "product generic-host", and use bigip-add to see its state from here',
      );
    }
    say(checkClock(member, flags.ignoreClock));
    const run = async (command: string): Promise<string> => {
      let output = '';
      for await (const text of tmsh.run(command)) output += text;
      return output;
    };
    const group = await groupOf(member, host);
    const address = flags.address ?? (await addressOf(host));
    if (await isMember(run, group, address)) {
      say(`This machine is a member of ${group} already, and has what the group has`);
      say('==> Done <==');
      return 0;
    }
    await checkIsServerThere(member, host, run);
    if (!flags.yes && !(await isSure())) {
      say('Nothing was changed.');
      return 1;
    }

    say('==> Exchanging certificates');
    for (const line of await exchangeCertificates(member, await exchangeOf(flags.state, ['server', 'client']))) {
      say(`    ${line}`);
    }
    const kept = join(
      resolve(flags.state),
      `before-gtm-add-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.conf`,
    );
    say(`==> Saving the running configuration as ${kept}`);
    await run(`save sys config file ${kept}`);

    await dial(run, group, address);
    say(`==> Verifying iQuery connection to ${address}. This may take up to ${CONNECT_SECONDS} seconds`);
    await until(`iQuery with ${address}`, CONNECT_SECONDS, async () => {
      const row = rowOf(await run(`show gtm iquery ${address} field-fmt`).catch(errorText));
      return row.state === 'connected' ? undefined : (row.reason ?? row.state ?? 'it is not dialled yet');
    });
    say('==> Retrieving remote GTM configuration...');
    say(`    ${(await run(`run cm config-sync from-group ${group}`)).trim()}`);
    await until(`the configuration of ${group}`, TAKE_SECONDS, async () => {
      const status = /^\s*status "?([^"\n]+)"?/m.exec(await run('show cm sync-status field-fmt'))?.[1] ?? 'unknown';
      const isTaken = !(await run('list gtm server')).includes(BOOTSTRAP);
      return isTaken && status === 'In Sync' ? undefined : `sync status: ${status}`;
    });
    const zones = (await run('list gtm global-settings general synchronize-zone-files')).includes(
      'synchronize-zone-files yes',
    );
    if (zones) say('==> Retrieving remote DNS/named configuration... (zone files follow by themselves)');
    await run('save sys config');
    say('==> Done <==');
    return 0;
  } catch (error) {
    process.stderr.write(`wideplane gtm-add: ${errorText(error)}\n`);
    return 1;
  } finally {
    tmsh.close();
    await remote?.close();
  }
}

type Run = (command: string) => Promise<string>;

/** The group that the member is in. Throws a RemoteError. */
async function groupOf(member: RemoteMachine, host: string): Promise<string> {
  const text = await member.wideplane([
    'tmsh',
    '-c',
    'list gtm global-settings general synchronization synchronization-group-name all-properties',
  ]);
  if (!/^\s*synchronization yes$/m.test(text)) {
    throw new RemoteError(
      `${host} synchronises with nobody: type there "modify gtm global-settings general synchronization yes", then run this again`,
    );
  }
  return /^\s*synchronization-group-name (\S+)$/m.exec(text)?.[1] ?? 'default';
}

async function addressOf(host: string): Promise<string> {
  const name = host.replace(/^.*@/, '');
  if (isIP(name) !== 0) return name;
  const found = await lookup(name).catch(() => undefined);
  if (found !== undefined) return found.address;
  throw new RemoteError(`${name} means no address here: say with --address where iQuery reaches it`);
}

async function isMember(run: Run, group: string, address: string): Promise<boolean> {
  const settings = await run(
    'list gtm global-settings general synchronization synchronization-group-name all-properties',
  );
  if (!/^\s*synchronization yes$/m.test(settings)) return false;
  if (!new RegExp(`^\\s*synchronization-group-name ${group}$`, 'm').test(settings)) return false;
  const { state } = rowOf(await run(`show gtm iquery ${address} field-fmt`).catch(errorText));
  return state === 'connected' && /^\s*status "?In Sync/m.test(await run('show cm sync-status field-fmt'));
}

/** The group knows this machine as one of its servers. Throws a RemoteError that says how it will. */
async function checkIsServerThere(member: RemoteMachine, host: string, run: Run): Promise<void> {
  const own = hostAddresses();
  for (const [, address] of (await run('list net self')).matchAll(/^\s*address ([0-9a-f.:]+)/gm)) own.add(address!);
  const servers = await member.wideplane(['tmsh', '-c', 'list gtm server']);
  const words = new Set(servers.split(/[\s{}]+/));
  if ([...own].some((address) => words.has(address))) return;
  const address = [...own].find((each) => isIP(each) === 4) ?? [...own][0] ?? 'ADDRESS';
  throw new RemoteError(
    `this machine is no gtm server of ${host} yet. Type there:\n` +
      `  create gtm server NAME { datacenter DATACENTER devices add { NAME { addresses add { ${address} } } } product bigip }`,
  );
}

/** Has the member dialled until what is taken from it says so itself. */
async function dial(run: Run, group: string, address: string): Promise<void> {
  const here = `show gtm iquery ${address} field-fmt`;
  if (rowOf(await run(here).catch(errorText)).state === undefined) {
    await run(`create gtm datacenter ${BOOTSTRAP}`);
    await run(
      `create gtm server ${BOOTSTRAP} { datacenter ${BOOTSTRAP} devices add { ${BOOTSTRAP} { addresses add { ${address} } } } product bigip }`,
    );
  }
  await run(`modify gtm global-settings general synchronization yes synchronization-group-name ${group}`);
}

/** What `show gtm iquery ADDRESS field-fmt` says of how it stands. */
function rowOf(text: string): { state: string | undefined; reason: string | undefined } {
  const value = (label: string): string | undefined =>
    new RegExp(`^\\s*${label} "?([^"\\n]+?)"?$`, 'm').exec(text)?.[1];
  return { state: value('state'), reason: value('reason') };
}

/** `look` resolves to why it is not so yet. Throws a RemoteError. */
async function until(what: string, seconds: number, look: () => Promise<string | undefined>): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const why = await look();
    if (why === undefined) return;
    if (performance.now() > deadline) {
      throw new RemoteError(
        `${what}: not within ${seconds} s (${why}). What is done stays: put it right, and run the same command again`,
      );
    }
    await delay(POLL_MS);
  }
}

async function isSure(): Promise<boolean> {
  process.stdout.write(WARNING);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('Are you absolutely sure you want to do this? [y/n] ')).trim());
  } finally {
    terminal.close();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
