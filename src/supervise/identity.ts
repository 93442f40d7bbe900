// Which account the daemons run as when `wideplane up` is root.
//
// The account `wideplane` when the system has one (scripts/systemd/wideplane.sysusers), else root without its
// capabilities. Neither may pass directories that only their owner may enter, such as a home that holds the checkout:
// then the daemons run as the owner of the program, who decides what it does anyway.

import { statSync } from 'node:fs';
import { setprivArguments, type Account, type ProcessCapabilities } from './capability.ts';
import { runCommand } from '../net/helper-program.ts';

export const ACCOUNT_NAME = 'wideplane';

/** `account` undefined: stay who we are. */
export type Identity = { account: Account | undefined };

export type IdentityChoice = { identity: Identity } | { refusal: string };

/** The first candidate that can run `program`, which reads `script`. */
export async function chooseIdentity(
  held: ProcessCapabilities,
  program: string,
  script: string,
): Promise<IdentityChoice> {
  const candidates: (Account | undefined)[] = [];
  const dedicated = await accountNamed(ACCOUNT_NAME);
  if (dedicated) candidates.push(dedicated);
  candidates.push(undefined);
  const owner = await accountNamed(String(statSync(script).uid));
  if (owner && owner.uid !== 0) candidates.push(owner);

  for (const account of candidates) {
    const checks: AccessCheck[] = [
      ['-r', script],
      ['-x', program],
    ];
    if (await canUse(held, account, checks)) return { identity: { account } };
  }
  const tried = candidates.map((account) => account?.name ?? 'root without capabilities').join(', ');
  return {
    refusal: `the daemons cannot read ${script} or run ${program} as any of: ${tried}; install wideplane where everyone may read it, for instance with npm install --global`,
  };
}

/** Files and what is wanted of them, as test(1) names it. */
export type AccessCheck = readonly ['-r' | '-w' | '-x', string];

/** Whether a child with that account and no capability has this access. */
export async function canUse(
  held: ProcessCapabilities,
  account: Account | undefined,
  checks: readonly AccessCheck[],
): Promise<boolean> {
  const privileges = setprivArguments({ held, wanted: [], account });
  for (const check of checks) {
    if ((await runCommand('setpriv', [...privileges, '--', 'test', ...check])).status !== 0) return false;
  }
  return true;
}

/** The account with this name or number, from whatever the system keeps them in. */
async function accountNamed(name: string): Promise<Account | undefined> {
  const { status, stdout } = await runCommand('getent', ['passwd', name]);
  if (status !== 0) return undefined;
  const [login, , uid, gid] = stdout.toString().split('\n')[0]!.split(':');
  return { name: login!, uid: Number(uid), gid: Number(gid) };
}
