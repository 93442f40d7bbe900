// What is said of a peer's certificate.

export const TRUST_PROBLEMS = [
  'no-certificate',
  'unknown',
  'expired',
  'not-yet-valid',
  'revoked',
  'bad-usage',
  'weak',
  'damaged',
] as const;
export type TrustProblem = (typeof TRUST_PROBLEMS)[number];

/** Which side of the connection the peer is on. */
export type PeerRole = 'server' | 'client';

export type Trusted = {
  readonly trusted: true;
  readonly subject: string;
  /** SHA-256, hexadecimal without colons. */
  readonly fingerprint: string;
  readonly notAfter: Date;
};

export type Refused = {
  readonly trusted: false;
  readonly problem: TrustProblem;
  readonly subject: string;
  /** Empty where there is no certificate. */
  readonly fingerprint: string;
  /** `it expired on 2026-01-02T03:04:05Z, 12 days ago`. */
  readonly reason: string;
  /** What the person who reads it can do, with the command. */
  readonly fix: string;
};

export type TrustVerdict = Trusted | Refused;
