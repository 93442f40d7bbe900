// The line of the log for a peer that is refused.

import { logEvent, type LogCode } from '../core/log-codes.ts';
import type { Log } from '../core/log.ts';
import type { PeerRole, Refused, TrustProblem } from './verdict.ts';

const CODES: Readonly<Record<TrustProblem, LogCode>> = {
  'no-certificate': 'peer-no-certificate',
  unknown: 'peer-unknown',
  expired: 'peer-expired',
  'not-yet-valid': 'peer-not-yet-valid',
  revoked: 'peer-revoked',
  'bad-usage': 'peer-bad-usage',
  weak: 'peer-weak',
  damaged: 'peer-damaged',
};

/** `peer`: its address, and its server's name where that is known. */
export function logRefusal(
  log: Log,
  peer: string,
  role: PeerRole,
  { problem, subject, fingerprint, reason, fix }: Refused,
): void {
  const who = role === 'server' ? `iQuery server ${peer}` : `iQuery client ${peer}`;
  const name = subject === '' ? '' : ` (${subject})`;
  logEvent(log, CODES[problem], `${who}${name} is refused: ${reason}; ${fix}`, {
    peer,
    role,
    problem,
    subject: subject === '' ? undefined : subject,
    fingerprint: fingerprint === '' ? undefined : fingerprint,
  });
}
