// What a synchronisation group shares of the configuration: told to iqueryd, and taken from it.

import { createHash } from 'node:crypto';
import { diffObjects } from '../../config/change.ts';
import { formatHeader } from '../../config/format.ts';
import { isOfGroup, replaceGroup, sealedGroupPieces } from '../../config/group-text.ts';
import type { Loaded } from '../../config/load-text.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { gtmGlobalSettingsGeneral, NEVER_SAVED } from '../../config/types/gtm-global-settings.ts';
import type { GtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { CallContext, Handlers } from '../../ipc/ipc-server.ts';
import type { ItemOf, ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { BASE_CHANGED, GROUP_PIECE_CHARACTERS, type GroupState } from '../../ipc/sync-schema.ts';
import { TextUploads } from '../../ipc/text-upload.ts';
import { keepFile } from '../../store/kept-files.ts';
import { describeCommandError } from '../../tmsh/command-error.ts';
import type { EditWatch } from '../../tmsh/edit-conflict.ts';
import { logAudit } from './audit.ts';
import type { ConfigOwner } from './config-owner.ts';
import { groupDigest, groupTextPieces } from './group-digest.ts';
import type { Turn } from './turn.ts';

export type GroupServiceOptions = {
  readonly owner: ConfigOwner;
  readonly turn: Turn;
  readonly edits: EditWatch;
  /** Where configurations are kept that gave way to the group's. */
  readonly directory: string;
  readonly log: Log;
};

/** Characters of the largest text; a wide IP with its pool has some five hundred. */
const MOST_CHARACTERS = 256 * 1024 * 1024;
const MOST_KEPT = 10;
/** Who changes the configuration, for the audit log. */
const USER = 'iqueryd';

/** What lies in folders brings them with it. */
const isFolder = ({ type }: AnyConfigObject): boolean => type === 'sys folder' || type === 'auth partition';

type Wish = ParamsOf<'apply-group-configuration'>;

export class GroupService {
  readonly #options: GroupServiceOptions;
  readonly #uploads = new TextUploads(MOST_CHARACTERS);
  #saving: NodeJS.Timeout | undefined;

  constructor(options: GroupServiceOptions) {
    this.#options = options;
  }

  readonly handlers: Handlers = {
    'group-configuration': (_params, { signal }) => this.#follow(signal),
    'group-text': ({ digest }) => this.#text(digest),
    'group-text-piece': ({ part, text }, { connection }) => {
      this.#uploads.add(connection, part, text);
      return null;
    },
    'apply-group-configuration': (wish, context) => this.#apply(wish, context),
  };

  stop(): void {
    clearTimeout(this.#saving);
  }

  async *#follow(signal: AbortSignal): AsyncGenerator<GroupState, void> {
    const { owner } = this.#options;
    let said = '';
    for (;;) {
      const { number } = owner.generation;
      const state = await this.#state();
      if (signal.aborted) return;
      if (state.digest !== said) yield state;
      said = state.digest;
      await owner.changed(number, signal);
    }
  }

  async #state(): Promise<GroupState> {
    const { owner } = this.#options;
    const { by: changedBy, time } = owner.change;
    const { epoch, number } = owner.generation;
    return { epoch, number, ...(await groupDigest(owner.configuration)), time, changedBy };
  }

  async *#text(digest: string): AsyncGenerator<ItemOf<'group-text'>, void> {
    const { configuration } = this.#options.owner;
    if ((await groupDigest(configuration)).digest !== digest) {
      throw new IpcError('refused', 'the configuration has changed meanwhile', BASE_CHANGED);
    }
    for (const text of groupTextPieces(configuration, GROUP_PIECE_CHARACTERS)) yield { text };
  }

  async #apply(wish: Wish, { connection }: CallContext): Promise<ResultOf<'apply-group-configuration'>> {
    const text = this.#uploads.take(connection);
    const found = createHash('sha256').update(text).digest('hex');
    if (found !== wish.digest) throw new IpcError('refused', `the text is not that of ${wish.digest}: it is damaged`);
    const release = await this.#options.turn.take();
    try {
      return await this.#replace(text, wish);
    } finally {
      release();
    }
  }

  async #replace(text: string, wish: Wish): Promise<ResultOf<'apply-group-configuration'>> {
    const { owner, edits } = this.#options;
    const before = owner.configuration;
    if ((await groupDigest(before)).digest !== wish.base) {
      throw new IpcError('refused', 'the configuration has changed meanwhile', BASE_CHANGED);
    }
    const command = `the configuration of group ${wish.group} from ${wish.from}, changed by ${wish.changedBy}`;
    let loaded: Loaded;
    let kept: string | undefined;
    try {
      loaded = replaceGroup(text, before, `group ${wish.group}`);
      if (wish.keep) kept = await this.#keep(wish);
    } catch (error) {
      // The text itself, which may hold secrets, is in no message.
      const result = describeCommandError(error, '');
      this.#audit(command, result);
      throw new IpcError('failed', result);
    }
    owner.commit(loaded, USER);
    edits.note(before, owner.configuration, () => ({ user: USER, command, at: new Date() }));
    this.#audit(command, kept === undefined ? 'Command OK' : `Command OK; ${kept} holds what it took the place of`);
    await owner.kept();
    this.#saveLater();
    const objects = diffObjects(before.views, owner.configuration.views).length;
    return { state: await this.#state(), objects, ...(kept === undefined ? {} : { kept }) };
  }

  #keep({ group, base }: Wish): Promise<string> {
    const { owner, directory } = this.#options;
    const { configuration, version } = owner;
    const pieces = function* (): Generator<string> {
      yield formatHeader(version);
      yield* sealedGroupPieces(configuration);
    };
    return keepFile(directory, `${group}-${base.slice(0, 12)}.conf`, pieces(), MOST_KEPT);
  }

  #audit(command: string, result: string): void {
    const { log, owner } = this.#options;
    logAudit(log, { user: USER, folder: '/Common', command, result }, USER, owner.generation.number);
  }

  #saveLater(): void {
    const general = this.#options.owner.configuration.views.get(gtmGlobalSettingsGeneral.path);
    const seconds = (general as GtmGlobalSettingsGeneral).properties['automatic-configuration-save-timeout'];
    if (seconds === NEVER_SAVED || this.#saving !== undefined) return;
    this.#saving = setTimeout(() => {
      this.#saving = undefined;
      void this.#save();
    }, seconds * 1000);
  }

  /** Saves, unless that would save what nobody has asked to be saved. */
  async #save(): Promise<void> {
    const { owner, turn, log } = this.#options;
    const release = await turn.take();
    try {
      const { saved, configuration } = owner;
      const changes = saved && diffObjects(saved, configuration.views);
      const other = changes?.find(
        ({ action, object }) => !isOfGroup(object) && !(action === 'create' && isFolder(object)),
      );
      if (other !== undefined || changes === undefined) {
        const what = other === undefined ? 'configd has been started since' : `${other.object.type} has changed too`;
        const text = `what came from the group is not saved: ${what}, and nobody has saved that; save sys config saves both`;
        logEvent(log, 'sync-unsaved', text);
        return;
      }
      if (changes.length > 0) await owner.save(undefined, USER);
    } catch (error) {
      logEvent(log, 'config-save-failed', errorText(error));
    } finally {
      release();
    }
  }
}
