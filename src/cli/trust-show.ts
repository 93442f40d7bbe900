// `wideplane trust show`.

import { statSync } from 'node:fs';
import type { Bundle } from '../trust/bundle.ts';
import type { Certificate } from '../trust/certificate.ts';
import { expiryText } from '../trust/expiry.ts';
import type { Identity } from '../trust/identity.ts';
import { bundleOf, type TrustLayout } from '../trust/layout.ts';
import { daysLeft, timeText } from '../trust/time-text.ts';
import { readTrustFiles, type TrustFiles } from '../trust/trust-files.ts';
import { doubtsOf, withLayout } from './trust.ts';

/** Days within which an end is worth a word. */
const SOON_DAYS = 30;
const READ_BY_OTHERS = 0o077;

export async function showTrust(state: string): Promise<number> {
  return withLayout(state, 'show', async (layout) => {
    const files = await readTrustFiles(layout);
    process.stdout.write(`${trustLines(layout, files, new Date()).join('\n')}\n`);
  });
}

function trustLines(layout: TrustLayout, files: TrustFiles, now: Date): string[] {
  const { identity, staged, server, client, revocation } = files;
  const wrong = wrongThings(layout, files, now);
  return [
    `This machine: ${layout.certificate}`,
    ...(identity === undefined ? ['  none'] : ownLines(identity, now)),
    ...(staged === undefined
      ? []
      : ['', 'Staged, not in use yet ("wideplane trust renew --activate")', ...ownLines(staged, now)]),
    '',
    `Servers that this machine may dial: ${layout.serverBundle}`,
    ...memberLines(server, files, now),
    '',
    `Clients that may dial this machine: ${layout.clientBundle}`,
    ...memberLines(client, files, now),
    '',
    `Revocation lists: ${layout.revocationLists}`,
    ...(revocation.lists.length === 0
      ? ['  none']
      : revocation.lists.map(
          ({ thisUpdate, nextUpdate, revoked }) =>
            `  of ${timeText(thisUpdate)}, next ${nextUpdate === undefined ? 'never' : timeText(nextUpdate)}: ${revoked.size} revoked`,
        )),
    '',
    ...(wrong.length === 0 ? ['Nothing is wrong.'] : ['Wrong:', ...wrong.map((line) => `  ${line}`)]),
  ];
}

function ownLines({ leaf }: Identity, now: Date): string[] {
  return [
    `  ${leaf.subject}, issued by ${leaf.subjectName === leaf.issuerName ? 'itself' : leaf.issuer}`,
    `  fingerprint ${leaf.fingerprint}`,
    `  valid from ${timeText(leaf.notBefore)} to ${timeText(leaf.notAfter)}: ${leftText(leaf, now)}`,
  ];
}

function memberLines({ members }: Bundle, { identity, staged }: TrustFiles, now: Date): string[] {
  if (members.length === 0) return ['  none'];
  return members.map((member) => {
    const { fingerprint, subject, isAuthority, notAfter } = member;
    const marks = [
      ...(fingerprint === identity?.fingerprint ? ['this machine'] : []),
      ...(fingerprint === staged?.fingerprint ? ['staged'] : []),
      ...(isAuthority ? ['authority'] : []),
    ];
    const mark = marks.length === 0 ? '' : ` (${marks.join(', ')})`;
    return `  ${fingerprint.slice(0, 16)}  ${notAfter.toISOString().slice(0, 10)}  ${leftText(member, now).padEnd(14)}  ${subject}${mark}`;
  });
}

function leftText({ notAfter }: Certificate, now: Date): string {
  const days = daysLeft(notAfter, now);
  return days < 0 ? 'expired' : `${days} ${days === 1 ? 'day' : 'days'} left`;
}

function wrongThings(layout: TrustLayout, files: TrustFiles, now: Date): string[] {
  const { identity, problems } = files;
  const wrong = [...problems];
  if (identity === undefined) {
    if (problems.length === 0)
      wrong.push('this machine has no certificate: iqueryd makes one at its start, or "wideplane trust export"');
  } else {
    if ((statSync(layout.key).mode & READ_BY_OTHERS) !== 0) {
      wrong.push(`others may read ${layout.key}: chmod 600 ${layout.key}`);
    }
    if (daysLeft(identity.notAfter, now) < SOON_DAYS) {
      wrong.push(`the certificate of this machine ${expiryText(identity.notAfter, now)}: run "wideplane trust rotate"`);
    }
  }
  for (const role of ['server', 'client'] as const) {
    const { members } = files[role];
    const path = bundleOf(layout, role);
    if (identity !== undefined && !members.some(({ fingerprint }) => fingerprint === identity.fingerprint)) {
      wrong.push(`${path} lacks the certificate of this machine: "wideplane trust export | wideplane trust import -"`);
    }
    for (const member of members) {
      if (member.fingerprint === identity?.fingerprint) continue;
      const who = `${path}: ${member.subject} (${member.fingerprint.slice(0, 16)})`;
      const doubts = doubtsOf(member, now);
      wrong.push(...doubts.map((doubt) => `${who}: ${doubt}`));
      if (doubts.length === 0 && daysLeft(member.notAfter, now) < SOON_DAYS) {
        wrong.push(`${who} ${expiryText(member.notAfter, now)}: import the one that follows it`);
      }
    }
  }
  return wrong;
}
