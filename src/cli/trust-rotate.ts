// `wideplane trust rotate`: a new certificate on this machine, which every peer trusts before it is used.

import { join, resolve } from 'node:path';
import { readSnapshot, SNAPSHOT_FILE } from '../assembly/config-snapshot.ts';
import type { GtmServer } from '../config/types/gtm-server.ts';
import type { Self } from '../config/types/net-self.ts';
import { errorText } from '../core/errors.ts';
import { hostAddresses } from '../net/host-addresses.ts';
import type { Certificate } from '../trust/certificate.ts';
import { readStaged } from '../trust/identity.ts';
import { activate, stageNew } from '../trust/renewal.ts';
import { RemoteMachine, type RemoteOptions } from './remote-machine.ts';
import { ownIdentity, withLayout } from './trust.ts';

export type RotateFlags = RemoteOptions & { readonly hostname: string };

export async function rotate(state: string, typed: readonly string[], flags: RotateFlags): Promise<number> {
  let failed = 0;
  const status = await withLayout(state, 'rotate', async (layout) => {
    const hosts = typed.length > 0 ? [...typed] : await peersOf(resolve(state));
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

/** Addresses of other servers of product bigip, one each, as iqueryd has them. */
async function peersOf(state: string): Promise<string[]> {
  const snapshot = await readSnapshot(join(state, 'iqueryd', SNAPSHOT_FILE));
  if (snapshot === undefined) {
    throw new Error('which peers there are is not known, since iqueryd has no configuration yet: type their hosts');
  }
  const own = hostAddresses();
  const hosts: string[] = [];
  for (const object of snapshot.objects.values()) {
    if (object.type === 'net self') own.add((object as unknown as Self).properties.address.replace(/\/.*$/, ''));
  }
  for (const object of snapshot.objects.values()) {
    if (object.type !== 'gtm server') continue;
    const { properties } = object as unknown as GtmServer;
    if (properties.product !== 'bigip' || !properties.enabled) continue;
    const devices = Object.values(properties.devices).flatMap(({ addresses }) => Object.keys(addresses));
    const addresses = [...Object.keys(properties.addresses), ...devices];
    if (!addresses.some((address) => own.has(address)) && addresses[0] !== undefined) hosts.push(addresses[0]);
  }
  return hosts;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
