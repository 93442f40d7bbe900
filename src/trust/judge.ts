// Whether a peer is trusted: its certificate is in the bundle, or leads to an authority in it. Names decide nothing: certificates of
// devices are often for localhost.localdomain.

import { errorText } from '../core/errors.ts';
import { isSelfIssued, KEY_USAGE, readCertificate, usageProblem, type Certificate } from './certificate.ts';
import type { RevocationList } from './crl.ts';
import { agoText, inText, timeText } from './time-text.ts';
import type { PeerRole, TrustProblem, TrustVerdict } from './verdict.ts';

/** Certificates that a peer may show, and that a path may have. */
const MOST_SHOWN = 10;
const MOST_IN_PATH = 8;
/** Signatures that are checked for one peer at most. */
const MOST_CHECKS = 64;

/** Certificates that become valid within this time are taken for a clock that is wrong, in milliseconds. */
const CLOCK_DOUBT_MS = 24 * 3600_000;

/** How revocation lists count: `gtm global-settings general`. */
export type RevocationSettings = {
  /** `full`: of every certificate of the path; `device`: of the peer's own. */
  readonly depth: 'full' | 'device';
  readonly useExpired: boolean;
  readonly useNotYetActive: boolean;
  /** Whether certificates that are revoked may be used: never, by connections that stand, always. */
  readonly useRevoked: 'never' | 'existing' | 'always';
};

export const REVOCATION_DEFAULTS: RevocationSettings = {
  depth: 'full',
  useExpired: true,
  useNotYetActive: true,
  useRevoked: 'never',
};

/** What trust is decided by. */
export type TrustGround = {
  /** Members of the bundle for peers of this role. */
  readonly members: readonly Certificate[];
  readonly lists: readonly RevocationList[];
  readonly settings: RevocationSettings;
  /** The bundle's file, for those who read the verdict. */
  readonly bundlePath: string;
  readonly crlPath: string;
};

export type Question = {
  /** DER, the peer's own first. */
  readonly chain: readonly Uint8Array[];
  readonly role: PeerRole;
  readonly now: Date;
  /** Whether its connection stands already. */
  readonly stands?: boolean;
};

type Finding = { readonly problem: TrustProblem; readonly reason: string; readonly fix: string };
/** The peer's own certificate first, a member of the bundle last. */
type Path = readonly Certificate[];

export function judge(ground: TrustGround, { chain, role, now, stands = false }: Question): TrustVerdict {
  if (chain.length === 0) {
    return {
      trusted: false,
      problem: 'no-certificate',
      subject: '',
      fingerprint: '',
      reason: 'it shows no certificate',
      fix: 'whatever connects there is no iQuery peer, or has no device certificate: on wideplane, look at "wideplane trust show" there',
    };
  }
  const shown: Certificate[] = [];
  for (const octets of chain.slice(0, MOST_SHOWN)) {
    try {
      shown.push(readCertificate(octets));
    } catch (error) {
      // What stands beside the peer's own is only a help to find the way.
      if (shown.length > 0) continue;
      return {
        trusted: false,
        problem: 'damaged',
        subject: '',
        fingerprint: '',
        reason: `its certificate cannot be read: ${errorText(error)}`,
        fix: 'have the peer make a new one: on wideplane "wideplane trust renew", on a BIG-IP System, Device Certificates, Renew',
      };
    }
  }
  const leaf = shown[0]!;
  const finding = findFault(ground, shown, role, now, stands);
  const { subject, fingerprint, notAfter } = leaf;
  return finding === undefined
    ? { trusted: true, subject, fingerprint, notAfter }
    : { trusted: false, subject, fingerprint, ...finding };
}

/** The fault of the best way to the bundle. */
function findFault(
  ground: TrustGround,
  shown: readonly Certificate[],
  role: PeerRole,
  now: Date,
  stands: boolean,
): Finding | undefined {
  let first: Finding | undefined;
  for (const path of pathsOf(shown, ground.members)) {
    const fault = faultOfPath(ground, path, role, now, stands);
    if (fault === undefined) return undefined;
    first ??= fault;
  }
  return first ?? unknownPeer(ground, shown[0]!, role, now);
}

/** All ways from the peer's own certificate to a member of the bundle by issuers whose signatures hold, shortest first from each. */
function* pathsOf(shown: readonly Certificate[], members: readonly Certificate[]): Generator<Path, void> {
  const trusted = new Set(members.map(({ fingerprint }) => fingerprint));
  const issuers = new Map<string, Certificate[]>();
  for (const candidate of new Map([...members, ...shown.slice(1)].map((c) => [c.fingerprint, c])).values()) {
    const list = issuers.get(candidate.subjectName);
    if (list === undefined) issuers.set(candidate.subjectName, [candidate]);
    else list.push(candidate);
  }
  let checks = 0;
  function* extend(path: Path): Generator<Path, void> {
    const last = path.at(-1)!;
    if (trusted.has(last.fingerprint)) yield path;
    if (path.length >= MOST_IN_PATH) return;
    for (const issuer of issuers.get(last.issuerName) ?? []) {
      if (path.includes(issuer) || issuer.fingerprint === last.fingerprint || !issuer.isAuthority) continue;
      if (++checks > MOST_CHECKS) return;
      if (last.x509.checkIssued(issuer.x509) && hasSigned(issuer, last)) yield* extend([...path, issuer]);
    }
  }
  yield* extend([shown[0]!]);
}

function hasSigned(issuer: Certificate, { x509 }: Certificate): boolean {
  try {
    return x509.verify(issuer.x509.publicKey);
  } catch {
    return false;
  }
}

function faultOfPath(ground: TrustGround, path: Path, role: PeerRole, now: Date, stands: boolean): Finding | undefined {
  const [leaf] = path as readonly [Certificate];
  const usage = usageProblem(leaf, role);
  if (usage !== undefined)
    return { problem: 'bad-usage', reason: usage, fix: newCertificate(leaf, 'for both serverAuth and clientAuth') };
  for (const [index, certificate] of path.entries()) {
    const fault =
      weakness(certificate, path, index) ??
      wrongUsage(certificate, path, index) ??
      outOfTime(certificate, leaf, now) ??
      revocation(ground, path, index, now, stands);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function weakness(certificate: Certificate, path: Path, index: number): Finding | undefined {
  // Nobody relies on the signature that an authority in the bundle has put under its own certificate.
  const isRoot = index > 0 && isSelfIssued(certificate);
  const what =
    certificate.weakKey ??
    (certificate.weakSignature !== undefined && !isRoot
      ? `its signature is made with ${certificate.weakSignature}`
      : undefined);
  if (what === undefined) return undefined;
  return {
    problem: 'weak',
    reason: `${whose(certificate, path[0]!)}${what}`,
    fix: newCertificate(path[0]!, 'with an RSA key of 2048 bits or more and a signature with SHA-256'),
  };
}

function wrongUsage(certificate: Certificate, path: Path, index: number): Finding | undefined {
  const leaf = path[0]!;
  const found = (reason: string): Finding => ({
    problem: 'bad-usage',
    reason: `${whose(certificate, leaf)}${reason}`,
    fix: newCertificate(leaf, 'from an authority that may issue it'),
  });
  if (certificate.unknownCritical !== undefined) {
    return found(`it has a critical extension that is not understood (${certificate.unknownCritical})`);
  }
  if (index === 0) return undefined;
  if (certificate.keyUsage !== undefined && (certificate.keyUsage & KEY_USAGE.keyCertSign) === 0) {
    return found('its key usage does not allow it to issue certificates');
  }
  const between = path.slice(1, index).filter((authority) => !isSelfIssued(authority)).length;
  if (between > certificate.pathLength) {
    return found(`${between} authorities stand below it, and it allows ${certificate.pathLength}`);
  }
  return undefined;
}

function outOfTime(certificate: Certificate, leaf: Certificate, now: Date): Finding | undefined {
  const { notBefore, notAfter } = certificate;
  if (now > notAfter) {
    return {
      problem: 'expired',
      reason: `${whose(certificate, leaf)}it expired at ${timeText(notAfter)}, ${agoText(notAfter, now)}, by the clock here (${timeText(now)})`,
      fix: newCertificate(leaf, 'that is valid'),
    };
  }
  if (now >= notBefore) return undefined;
  const ahead = notBefore.getTime() - now.getTime();
  const reason = `${whose(certificate, leaf)}it is valid from ${timeText(notBefore)}, ${inText(notBefore, now)}`;
  if (ahead < CLOCK_DOUBT_MS) {
    return {
      problem: 'not-yet-valid',
      reason: `${reason}: one of the two clocks may be wrong; the one here says ${timeText(now)}`,
      fix: 'compare "date -u" on both machines, and have both follow NTP ("timedatectl set-ntp true", on a BIG-IP "modify sys ntp servers add { ... }")',
    };
  }
  return {
    problem: 'not-yet-valid',
    reason: `${reason}, by the clock here (${timeText(now)})`,
    fix: `if that is not meant, ${newCertificate(leaf, 'that is valid')}`,
  };
}

function revocation(
  { lists, settings, crlPath }: TrustGround,
  path: Path,
  index: number,
  now: Date,
  stands: boolean,
): Finding | undefined {
  if (settings.useRevoked === 'always' || (settings.useRevoked === 'existing' && stands)) return undefined;
  if (index > 0 && settings.depth === 'device') return undefined;
  const certificate = path[index]!;
  const issuer = path[index + 1];
  for (const list of lists) {
    if (list.issuerName !== certificate.issuerName || !isInUse(list, settings, now)) continue;
    const since = list.revoked.get(certificate.serial);
    if (since === undefined) continue;
    // Where the issuer is not at hand the file's word is enough: who writes it decides here.
    if (issuer !== undefined && !list.isSignedBy(issuer)) continue;
    return {
      problem: 'revoked',
      reason: `${whose(certificate, path[0]!)}it was revoked by ${certificate.issuer} at ${timeText(since)} (${crlPath})`,
      fix: newCertificate(path[0]!, 'that is not revoked'),
    };
  }
  return undefined;
}

/** Whether a revocation list counts now. */
export function isInUse(
  { thisUpdate, nextUpdate }: RevocationList,
  { useExpired, useNotYetActive }: RevocationSettings,
  now: Date,
): boolean {
  if (!useNotYetActive && now < thisUpdate) return false;
  return useExpired || nextUpdate === undefined || now <= nextUpdate;
}

function unknownPeer({ bundlePath }: TrustGround, leaf: Certificate, role: PeerRole, now: Date): Finding {
  const authority = isSelfIssued(leaf) ? '' : ', and no authority in it has issued it';
  const also = outOfTime(leaf, leaf, now);
  const side = role === 'server' ? '--server' : '--client';
  return {
    problem: 'unknown',
    reason: `its certificate is not in ${bundlePath}${authority}${also === undefined ? '' : `; besides, ${also.reason}`}`,
    fix: `if it is to be trusted: "wideplane trust export" there (on a BIG-IP: cat /config/httpd/conf/ssl.crt/server.crt), compare the fingerprint, then "wideplane trust import ${side} FILE" here`,
  };
}

function whose(certificate: Certificate, leaf: Certificate): string {
  return certificate === leaf ? '' : `of its authority ${certificate.subject}: `;
}

function newCertificate(leaf: Certificate, what: string): string {
  return `give the peer a certificate ${what} ("wideplane trust renew" there; on a BIG-IP System, Device Certificates, Renew), import it here, then "wideplane trust remove ${leaf.fingerprint.slice(0, 16)}"`;
}
