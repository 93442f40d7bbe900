// What this machine is, and whom it trusts: read from files that may change at any moment, and judged by what they say then.

import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { logEvent } from '../core/log-codes.ts';
import type { Log } from '../core/log.ts';
import { addToBundleFile } from './bundle-file.ts';
import type { Certificate } from './certificate.ts';
import { ExpiryBook, type Expiring } from './expiry.ts';
import { readOrMakeIdentity, type Identity } from './identity.ts';
import { isInUse, judge, REVOCATION_DEFAULTS, type RevocationSettings } from './judge.ts';
import { bundleOf, makeOwnedDirectory, trustLayout, type TrustLayout } from './layout.ts';
import { ownCertificates, readTrustFiles, type TrustFiles } from './trust-files.ts';
import type { PeerRole, TrustVerdict } from './verdict.ts';

export type { TrustVerdict } from './verdict.ts';

/** How often files are looked at, whatever the kernel tells of them. */
const POLL_MS = 1000;
/** Writers change several files one behind the other. */
const SETTLE_MS = 50;

export type TrustStoreOptions = {
  readonly hostname: string;
  now(): Date;
  readonly log: Log;
};

/** `gtm global-settings general`: when connections that stand are looked at again because of a revocation list. */
export type ReverifySettings = {
  readonly onListActive: boolean;
  readonly onListExpiring: boolean;
  readonly onListUpdate: boolean;
};

export type TrustSettings = { readonly revocation: RevocationSettings; readonly reverify: ReverifySettings };

export const TRUST_DEFAULTS: TrustSettings = {
  revocation: REVOCATION_DEFAULTS,
  reverify: { onListActive: true, onListExpiring: true, onListUpdate: true },
};

/** What has changed: whether there is another own certificate, and whether peers are to be judged again. */
export type TrustChange = { readonly identity: boolean; readonly trust: boolean };

export class TrustStore {
  readonly layout: TrustLayout;
  readonly #options: TrustStoreOptions;
  readonly #listeners = new Set<(change: TrustChange) => void>();
  readonly #expiry = new ExpiryBook();
  readonly #watchers: FSWatcher[] = [];
  #files: TrustFiles;
  #identity: Identity;
  #settings: TrustSettings = TRUST_DEFAULTS;
  #stamp = '';
  #phase: Phase;
  /** When the first certificate that was found trusted will have expired. */
  #nextExpiry = Infinity;
  #saidProblems = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(layout: TrustLayout, options: TrustStoreOptions, files: TrustFiles, identity: Identity) {
    this.layout = layout;
    this.#options = options;
    this.#files = files;
    this.#identity = identity;
    this.#phase = phaseOf(files, options.now());
  }

  /**
   * Opens what is below `directory`, laid out as /config of a BIG-IP, and makes what is missing. Throws an IdentityError or a StoreError
   * with what to do.
   */
  static async open(directory: string, options: TrustStoreOptions): Promise<TrustStore> {
    const layout = trustLayout(directory);
    const { hostname, log } = options;
    const { identity, isNew } = await readOrMakeIdentity(layout, hostname, options.now());
    if (isNew) {
      logEvent(log, 'trust-identity-made', `a device certificate was made for ${hostname}: ${layout.certificate}`, {
        fingerprint: identity.fingerprint,
      });
    }
    for (const role of ['server', 'client'] as const) await addToBundleFile(bundleOf(layout, role), [identity.leaf]);
    const store = new TrustStore(layout, options, await readTrustFiles(layout), identity);
    store.#stamp = await store.#stampOfFiles();
    await store.#watch();
    store.#sayProblems();
    store.#sayExpiry();
    return store;
  }

  /** What this machine shows its peers. */
  get identity(): Identity {
    return this.#identity;
  }

  get files(): TrustFiles {
    return this.#files;
  }

  configure(settings: TrustSettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.#tell({ identity: false, trust: true });
  }

  /** `chain`: DER, the peer's own first; `role`: that of the peer; `stands`: its connection is there already. */
  judge(chain: readonly Uint8Array[], role: PeerRole, now: Date, stands = false): TrustVerdict {
    const { server, client, revocation } = this.#files;
    const verdict = judge(
      {
        members: [...(role === 'server' ? server : client).members, ...ownCertificates(this.#files)],
        lists: revocation.lists,
        settings: this.#settings.revocation,
        bundlePath: bundleOf(this.layout, role),
        crlPath: this.layout.revocationLists,
      },
      { chain, role, now, stands },
    );
    if (verdict.trusted) this.#nextExpiry = Math.min(this.#nextExpiry, verdict.notAfter.getTime());
    return verdict;
  }

  /** Calls a listener when connections that stand are to be judged again; returns what ends that. */
  onChanged(listener: (change: TrustChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at the files now; resolves when that is done. */
  async refresh(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look()).catch(() => undefined);
    await this.#looking;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    for (const watcher of this.#watchers) watcher.close();
    this.#listeners.clear();
  }

  async #watch(): Promise<void> {
    const { serverBundle, clientBundle, pairs, certificate, key } = this.layout;
    for (const directory of new Set(
      [serverBundle, clientBundle, certificate, key].map((path) => dirname(path)).concat(pairs),
    )) {
      await makeOwnedDirectory(directory);
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#lookSoon());
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // Without watches, as where there are too many of them, the poll finds it.
      }
    }
    this.#timer = setInterval(() => void this.refresh(), POLL_MS);
    this.#timer.unref();
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.refresh();
    }, SETTLE_MS).unref();
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const stamp = await this.#stampOfFiles();
    if (stamp !== this.#stamp) {
      // Taken before the files are read: what changes meanwhile is seen the next time.
      this.#stamp = stamp;
      await this.#reread();
    }
    this.#goWithTime();
    this.#sayExpiry();
  }

  async #reread(): Promise<void> {
    const before = this.#files;
    const files = await readTrustFiles(this.layout, before);
    if (this.#isClosed) return;
    this.#files = files;
    this.#phase = phaseOf(files, this.#options.now());
    this.#sayProblems();
    const changed = changesOf(before, files, this.layout);
    const own = files.identity;
    const identity = own !== undefined && own.fingerprint !== this.#identity.fingerprint;
    if (identity) {
      for (const role of ['server', 'client'] as const) {
        await addToBundleFile(bundleOf(this.layout, role), [own.leaf]).catch(() => undefined);
      }
      this.#identity = own;
      changed.lines.push(`the device certificate is another (${own.fingerprint.slice(0, 16)})`);
    }
    if (changed.lines.length > 0) logEvent(this.#options.log, 'trust-changed', changed.lines.join('; '));
    const trust = changed.bundles || (changed.lists && this.#settings.reverify.onListUpdate);
    if (identity || trust) this.#tell({ identity, trust });
  }

  /** Certificates and lists begin and cease to be valid without that anybody writes anything. */
  #goWithTime(): void {
    const now = this.#options.now();
    const before = this.#phase;
    const phase = phaseOf(this.#files, now);
    this.#phase = phase;
    const { onListActive, onListExpiring } = this.#settings.reverify;
    let trust =
      phase.certificates !== before.certificates ||
      (onListActive && phase.activeLists !== before.activeLists) ||
      (onListExpiring && phase.expiredLists !== before.expiredLists);
    if (now.getTime() > this.#nextExpiry) {
      this.#nextExpiry = Infinity;
      trust = true;
    }
    if (trust) this.#tell({ identity: false, trust });
  }

  #tell(change: TrustChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #sayProblems(): void {
    const { problems } = this.#files;
    for (const problem of problems) {
      if (!this.#saidProblems.has(problem)) logEvent(this.#options.log, 'trust-damaged', `${problem}; the rest counts`);
    }
    this.#saidProblems = new Set(problems);
  }

  #sayExpiry(): void {
    const { log } = this.#options;
    const due = this.#expiry.due(expiringOf(this.#files, this.layout), this.#options.now());
    for (const { isExpired, message, fingerprint } of due) {
      logEvent(log, isExpired ? 'trust-expired' : 'trust-expires', message, { fingerprint });
    }
  }

  async #stampOfFiles(): Promise<string> {
    const { certificate, key, serverBundle, clientBundle, revocationLists, pairs } = this.layout;
    const stamps = [certificate, key, serverBundle, clientBundle, revocationLists, pairs, `${pairs}/next`].map(
      async (path) => {
        try {
          const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
          return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      },
    );
    return (await Promise.all(stamps)).join('\n');
  }
}

/** What is valid at a moment, as texts that change when it does. */
type Phase = { readonly certificates: string; readonly activeLists: string; readonly expiredLists: string };

function phaseOf({ server, client, revocation }: TrustFiles, now: Date): Phase {
  const certificates = [...server.members, ...client.members].map(({ notBefore, notAfter }) =>
    now < notBefore ? '<' : now > notAfter ? '>' : '=',
  );
  const lists = (settings: { useExpired: boolean; useNotYetActive: boolean }): string =>
    revocation.lists.map((list) => (isInUse(list, { ...REVOCATION_DEFAULTS, ...settings }, now) ? '=' : '-')).join('');
  return {
    certificates: certificates.join(''),
    activeLists: lists({ useExpired: true, useNotYetActive: false }),
    expiredLists: lists({ useExpired: false, useNotYetActive: true }),
  };
}

function changesOf(
  before: TrustFiles,
  after: TrustFiles,
  layout: TrustLayout,
): { lines: string[]; bundles: boolean; lists: boolean } {
  const lines: string[] = [];
  for (const role of ['server', 'client'] as const) {
    const [was, is] = [before[role].members, after[role].members];
    const words = [
      ...missingFrom(was, is).map(({ subject, fingerprint }) => `+ ${subject} (${fingerprint.slice(0, 16)})`),
      ...missingFrom(is, was).map(({ subject, fingerprint }) => `- ${subject} (${fingerprint.slice(0, 16)})`),
    ];
    if (words.length > 0) lines.push(`${bundleOf(layout, role)}: ${words.join(', ')}`);
  }
  const bundles = lines.length > 0;
  const ids = ({ revocation }: TrustFiles): string => revocation.lists.map(({ fingerprint }) => fingerprint).join(' ');
  const lists = ids(before) !== ids(after);
  if (lists) lines.push(`${layout.revocationLists}: ${after.revocation.lists.length} revocation lists`);
  return { lines, bundles, lists };
}

function missingFrom(known: readonly Certificate[], all: readonly Certificate[]): Certificate[] {
  const fingerprints = new Set(known.map(({ fingerprint }) => fingerprint));
  return all.filter(({ fingerprint }) => !fingerprints.has(fingerprint));
}

function expiringOf(files: TrustFiles, layout: TrustLayout): Expiring[] {
  const own = new Set(ownCertificates(files).map(({ fingerprint }) => fingerprint));
  const others = new Map<string, Expiring>();
  for (const role of ['server', 'client'] as const) {
    for (const { fingerprint, notAfter, subject } of files[role].members) {
      if (own.has(fingerprint) || others.has(fingerprint)) continue;
      others.set(fingerprint, {
        fingerprint,
        notAfter,
        what: `the certificate of ${subject} in ${bundleOf(layout, role)}`,
        fix: `import the one that follows it ("wideplane trust import FILE"), then "wideplane trust remove ${fingerprint.slice(0, 16)}"`,
      });
    }
  }
  const { identity } = files;
  const device: Expiring[] =
    identity === undefined
      ? []
      : [
          {
            fingerprint: identity.fingerprint,
            notAfter: identity.notAfter,
            what: `the device certificate ${layout.certificate}`,
            fix: 'run "wideplane trust rotate"',
          },
        ];
  return [...device, ...others.values()];
}
