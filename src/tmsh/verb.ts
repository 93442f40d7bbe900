// What a verb is. All of it but `run` is data: parser, completion, help and manual read the same table (verbs.ts).
//
// A command is a verb and either fixed words (a phrase: `save sys config file F`) or an object type with what the verb
// takes there: names, properties, options.

import type { AnyObjectType } from '../config/object-type.ts';
import type { Scanner } from '../config/scanner.ts';
import type { TmshBackend } from './backend.ts';
import type { Batch } from './batch.ts';

/** What lasts from one command to the next of whoever types. */
export type Session = {
  /** The folder that bare names belong to; `cd` changes it. */
  folder: string;
  /** Changes that wait for `submit cli transaction`; absent: none is open. */
  batch?: Batch;
};

/** A command that is being run: what is left of its text, and what it works on. */
export type Command = {
  /** As it was typed. */
  readonly text: string;
  readonly scanner: Scanner;
  readonly backend: TmshBackend;
  readonly session: Session;
  /** Text that came with the command, for those that read some: `edit`. */
  readonly input?: string;
  /** Digest of what `input` was made from; absent: nobody looks whether that has changed. */
  readonly base?: string;
};

export type Output = AsyncGenerator<string, void>;

/** Yields what a person shall see; throws before anything has changed. */
export type Run = (command: Command) => Output;

/** A word that is no keyword: what it names, for the prompt and for completion. */
export type Operand = {
  /** `existing` is an object of the type before it, `text` the rest of the command, `topic` what help is about. */
  readonly kind: 'file' | 'folder' | 'number' | 'name' | 'existing' | 'word' | 'text' | 'topic';
  readonly help: string;
  /** Type of the objects where `existing` stands behind no type. */
  readonly of?: string;
  /** Words to offer, when there are few. */
  readonly words?: readonly string[];
  readonly isOptional?: true;
};

/** A word of fixed meaning that may stand once, in any order with others. */
export type OptionWord = {
  readonly word: string;
  readonly help: string;
  /** What has to follow it. */
  readonly value?: Operand;
  /** Only for objects that lie in folders. */
  readonly inFolders?: true;
};

/** Fixed words behind a verb, which are no object type. */
export type Phrase = {
  /** None for a verb that stands alone: `pwd`. */
  readonly words: readonly string[];
  readonly help: string;
  /** Stands before the options. */
  readonly operand?: Operand;
  readonly options?: readonly OptionWord[];
  /** The verb whose object types, with all that it takes there, may follow. */
  readonly like?: string;
  /** Where it differs from the verb. */
  readonly changes?: boolean;
  readonly run: Run;
};

/** What a verb takes of object types. */
export type Objects = {
  /** Absent: all types. */
  accepts?(type: AnyObjectType): boolean;
  /** Whether a module alone stands for all types below it, and nothing for all there are. */
  readonly takesModules?: true;
  /** `new`: a name to be; `one`: an object; `many`: also several in braces, wildcards and `all`. */
  readonly names: 'new' | 'one' | 'many';
  /** Whether the name may be left out, which means all. */
  readonly isNameOptional?: true;
  /** `edit`: with values, in braces or without; `select`: names of properties to be shown. */
  readonly properties: 'edit' | 'select' | 'none';
  /** Stands behind the name. */
  readonly operand?: Operand;
  readonly options?: readonly OptionWord[];
  /** Options stand in front of the module, between its words, before or behind names. */
  readonly areOptionsAnywhere?: true;
  readonly run: Run;
};

export type Verb = {
  readonly name: string;
  readonly help: string;
  /** Changes something: waits for its turn and stands in the audit log. */
  readonly changes: boolean;
  readonly objects?: Objects;
  readonly phrases?: readonly Phrase[];
};
