// The exchange of certificates with another machine, step by step: what `bigip-add` and `gtm-add` have in common.

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { addToBundleFile } from '../trust/bundle-file.ts';
import { type Identity, readOrMakeIdentity } from '../trust/identity.ts';
import { bundleOf, trustLayout, trustRoot, type TrustLayout } from '../trust/layout.ts';
import type { PeerRole } from '../trust/verdict.ts';
import { RemoteError, type RemoteMachine } from './remote-machine.ts';

/** Seconds by which clocks may differ: with more, certificates are soon refused, and a group does not synchronise. */
const MOST_SKEW = 10;
const NOTED_SKEW = 3;
const SHOWN_DIGITS = 16;

export type Exchange = {
  readonly layout: TrustLayout;
  readonly own: Identity;
  /** What the peer is to this machine: `server`, it is dialled; `client`, it dials. */
  readonly roles: readonly PeerRole[];
};

export async function exchangeOf(state: string, roles: readonly PeerRole[]): Promise<Exchange> {
  const layout = trustLayout(trustRoot(resolve(state)));
  const { identity } = await readOrMakeIdentity(layout, hostname(), new Date());
  return { layout, own: identity, roles };
}

/** Throws a RemoteError where the clocks are too far apart. */
export function checkClock({ host, facts: { skew } }: RemoteMachine, isIgnored: boolean): string {
  const distance = `${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's`;
  if (Math.abs(skew) > MOST_SKEW && !isIgnored) {
    throw new RemoteError(
      `${host}: its clock is ${distance}: certificates would be refused as not yet valid or expired. ` +
        'Set both by NTP ("chronyc tracking" shows how far off each is), or use --ignore-clock',
    );
  }
  if (Math.abs(skew) > NOTED_SKEW) return `its clock is ${distance}`;
  return 'the clocks agree';
}

/** Both sides trust each other afterwards; resolves to what was changed, in words. Throws a RemoteError or a StoreError. */
export async function exchangeCertificates(remote: RemoteMachine, { layout, own, roles }: Exchange): Promise<string[]> {
  const theirs = await remote.certificate();
  const now = new Date();
  if (theirs.notAfter < now) {
    throw new RemoteError(
      `${remote.host}: its certificate (${theirs.subject}) ended on ${theirs.notAfter.toISOString().slice(0, 10)}: ` +
        'renew it there first',
    );
  }
  if (theirs.fingerprint === own.fingerprint) {
    throw new RemoteError(`${remote.host}: it is this machine, or has its certificate and key: nothing to exchange`);
  }
  const lines = [`certificate of ${remote.host}: ${theirs.subject}, ${theirs.fingerprint.slice(0, SHOWN_DIGITS)}`];
  for (const role of roles) {
    const path = bundleOf(layout, role);
    const added = await addToBundleFile(path, [theirs]);
    lines.push(added.length > 0 ? `added to ${path}` : `is in ${path} already`);
  }
  // What we are to it is the other way round.
  const there = roles.map((role): PeerRole => (role === 'server' ? 'client' : 'server'));
  const added = await remote.trust(own.leaf, there);
  for (const role of there) {
    const what = role === 'client' ? 'big3d/client.crt' : 'gtm/server.crt';
    lines.push(`this machine's certificate ${added.includes(role) ? 'added to' : 'is in'} ${what} there`);
  }
  return lines;
}
