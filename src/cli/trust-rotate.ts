// `wideplane trust rotate`: a new certificate on this machine, which every peer trusts before it is used.

import { errorText } from '../core/errors.ts';
import type { Certificate } from '../trust/certificate.ts';
import { readStaged } from '../trust/identity.ts';
import { activate, stageNew } from '../trust/renewal.ts';
import { configuredPeers } from './configured-peers.ts';
import { RemoteMachine, type RemoteOptions } from './remote-machine.ts';
import { ownIdentity, withLayout } from './trust.ts';

export type RotateFlags = RemoteOptions & { readonly hostname: string };

export async function rotate(state: string, typed: readonly string[], flags: RotateFlags): Promise<number> {
  let failed = 0;
  const status = await withLayout(state, 'rotate', async (layout) => {
    const hosts = typed.length > 0 ? [...typed] : await configuredPeers(state);
    for (const host of hosts) {
      // It would be an option of ssh.
      if (host.startsWith('-') || /\s/.test(host)) throw new Error(`"${host}" is no host: type [user@]host`);
    }
    const old = await ownIdentity(layout);
    const waiting = await readStaged(layout);
    const staged = waiting ?? (await stageNew(layout, flags.hostname, new Date()));
    say(
      `${waiting === undefined ? 'Made' : 'Goes on with'} the certificate ${staged.fingerprint.slice(0, 16)}, which waits`,
    );
    for (const [index, host] of hosts.entries()) {
      process.stdout.write(`[${index + 1}/${hosts.length}] ${host}: `);
      const problem = await importAt(host, staged.leaf, flags);
      say(problem ?? 'trusts it');
      if (problem !== undefined) failed++;
    }
    if (failed > 0) {
      throw new Error(
        `${failed} of ${hosts.length} peers do not trust the new certificate yet, so the old one goes on to be used. ` +
          'Put that right and run the same command again; or import it there by hand ("wideplane trust export --staged"; ' +
          'on a BIG-IP append it to /config/gtm/server.crt and /config/big3d/client.crt), then "wideplane trust renew --activate"',
      );
    }
    const { identity } = await activate(layout);
    say(
      `This machine now shows ${identity.leaf.subject} (${identity.fingerprint.slice(0, 16)}); the old one stays trusted`,
    );
    say(`When all are connected again, here and at every peer: wideplane trust remove ${old.fingerprint.slice(0, 16)}`);
  });
  return failed > 0 ? 1 : status;
}

/** Has a peer trust a certificate in both roles; resolves to what went wrong. */
async function importAt(host: string, certificate: Certificate, flags: RotateFlags): Promise<string | undefined> {
  let remote: RemoteMachine | undefined;
  try {
    remote = await RemoteMachine.open(host, flags);
    await remote.trust(certificate, ['client', 'server']);
    return undefined;
  } catch (error) {
    return errorText(error);
  } finally {
    await remote?.close();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
