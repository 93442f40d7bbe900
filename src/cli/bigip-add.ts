// `wideplane bigip-add`: this machine and others trust each other, so that it can dial them over iQuery. Returns the exit code.

import { errorText } from '../core/errors.ts';
import type { PeerRole } from '../trust/verdict.ts';
import { configuredPeers } from './configured-peers.ts';
import { RemoteMachine, type RemoteOptions } from './remote-machine.ts';
import { checkClock, exchangeCertificates, exchangeOf } from './trust-exchange.ts';

export type BigipAddFlags = RemoteOptions & {
  readonly state: string;
  /** They dial this machine as well. */
  readonly both: boolean;
  readonly ignoreClock: boolean;
  /** Only says what is to be typed. */
  readonly print: boolean;
};

export async function bigipAdd(typed: readonly string[], flags: BigipAddFlags): Promise<number> {
  try {
    const hosts = typed.length > 0 ? typed : await configuredPeers(flags.state);
    if (hosts.length === 0) {
      throw new Error('no other gtm server of product bigip is configured, and no host was typed');
    }
    if (flags.print) {
      for (const host of hosts) say(byHand(host));
      return 0;
    }
    let failed = 0;
    say("Retrieving remote and installing local BIG-IP's SSL certs ...");
    for (const [index, host] of hosts.entries()) {
      say(`[${index + 1}/${hosts.length}] ${host}`);
      const problem = await addOne(host, flags);
      if (problem === undefined) continue;
      failed++;
      process.stderr.write(`    ${problem}\n`);
    }
    if (failed === 0) {
      say('==> Done <==');
      return 0;
    }
    process.stderr.write(
      `wideplane bigip-add: ${failed} of ${hosts.length} failed. Run it again when that is put right: what is done is not ` +
        'done twice. By hand: --print\n',
    );
    return 1;
  } catch (error) {
    process.stderr.write(`wideplane bigip-add: ${errorText(error)}\n`);
    return 1;
  }
}

/** Resolves to what went wrong. */
async function addOne(host: string, flags: BigipAddFlags): Promise<string | undefined> {
  let remote: RemoteMachine | undefined;
  try {
    say(`    Enter the password for ${host} if prompted`);
    remote = await RemoteMachine.open(host, flags);
    const { kind, hostname, version } = remote.facts;
    say(
      `    ${hostname}: ${kind === 'bigip' ? 'BIG-IP' : 'wideplane'} ${version ?? 'of a version that it does not say'}`,
    );
    say(`    ${checkClock(remote, flags.ignoreClock)}`);
    // Two wideplanes dial each other; a BIG-IP does when it is a DNS system, which the user knows.
    const roles: PeerRole[] = flags.both || kind === 'wideplane' ? ['server', 'client'] : ['server'];
    for (const line of await exchangeCertificates(remote, await exchangeOf(flags.state, roles))) say(`    ${line}`);
    return undefined;
  } catch (error) {
    return errorText(error);
  } finally {
    await remote?.close();
  }
}

/** What does the same for somebody who has no ssh from here. */
function byHand(host: string): string {
  const name = host.replace(/^.*@/, '');
  return `# ${name} as a BIG-IP, by hand:
#   here: print the certificate of this machine, and take the file to ${name}
wideplane trust export >this-machine.crt
#   on ${name}: let this machine in, and look at the certificate that it has to know
cat this-machine.crt >>/config/big3d/client.crt
cat /config/httpd/conf/ssl.crt/server.crt
#   here: know ${name} by the file that was copied from there
wideplane trust import --server ${name}.crt
# ${name} as a wideplane, by hand:
wideplane trust export | ssh ${host} wideplane trust import -
ssh ${host} wideplane trust export | wideplane trust import -
`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
