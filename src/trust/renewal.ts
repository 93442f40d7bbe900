// A new certificate for this machine: the old one stays trusted here, since connections of before and peers have it still.

import { addToBundleFile } from './bundle-file.ts';
import { activateStaged, installPair, readIdentity, stagePair, type Identity } from './identity.ts';
import { bundleOf, type TrustLayout } from './layout.ts';
import { makeDevicePair, type Pair } from './make-certificate.ts';

/** Makes a pair that waits, and has this machine trust it already. Throws an IdentityError or a StoreError. */
export async function stageNew(layout: TrustLayout, hostname: string, now: Date): Promise<Identity> {
  const staged = await stagePair(layout, await makeDevicePair(hostname, now));
  await trustOwn(layout, staged);
  return staged;
}

/** Puts the pair in use that waits. Throws an IdentityError or a StoreError. */
export async function activate(layout: TrustLayout): Promise<{ identity: Identity; old: Identity | undefined }> {
  const old = await readIdentity(layout).catch(() => undefined);
  if (old !== undefined) await trustOwn(layout, old);
  const identity = await activateStaged(layout);
  await trustOwn(layout, identity);
  return { identity, old };
}

/** Puts a pair in use that comes from elsewhere. Throws an IdentityError or a StoreError. */
export async function install(
  layout: TrustLayout,
  pair: Pair,
): Promise<{ identity: Identity; old: Identity | undefined }> {
  const old = await readIdentity(layout).catch(() => undefined);
  if (old !== undefined) await trustOwn(layout, old);
  const identity = await installPair(layout, pair);
  await trustOwn(layout, identity);
  return { identity, old };
}

async function trustOwn(layout: TrustLayout, { leaf }: Identity): Promise<void> {
  for (const role of ['server', 'client'] as const) await addToBundleFile(bundleOf(layout, role), [leaf]);
}
