// Errors that a person reads: configuration errors as an F5 user knows them, and what to do next.

/** Where in a text an error was seen; line and column count from 1. */
export type TextPosition = { readonly file?: string; readonly line: number; readonly column: number };

/** F5's message codes, by what they say. All of them are of severity 3 (error). */
export const CONFIG_CODE = {
  notFound: '01020036',
  alreadyExists: '01020066',
  inUse: '01070265',
  /** A built-in object cannot be deleted. */
  protectedObject: '01070325',
  /** What lies in a partition keeps it. */
  partitionNotEmpty: '0107082a',
  folderNotEmpty: '010713f9',
  defaultRouteDomain: '0107097c',
  configuration: '01070734',
  missingProperty: '0107028f',
  stringTooLong: '01020057',
} as const;

/** What each code stands for, for the manual. */
export const CONFIG_CODE_HELP: Record<ConfigCode, string> = {
  notFound: 'an object, or a value of a list, is named that does not exist',
  alreadyExists: 'an object of the name, or a value of a list, exists already',
  inUse: 'another object names the one that was to be deleted; the message says which one',
  protectedObject: 'the object is part of the system and cannot be deleted',
  partitionNotEmpty: 'the partition that was to be deleted holds objects',
  folderNotEmpty: 'the folder that was to be deleted holds objects',
  defaultRouteDomain: 'the route domain that was to be deleted is the default one of a partition',
  configuration: 'a value is not possible, alone or beside what else is configured',
  missingProperty: 'a property has no value and must have one',
  stringTooLong: 'a text is longer than a property can hold',
};

export type ConfigCode = keyof typeof CONFIG_CODE;

export type ConfigErrorDetails = {
  /** `net vlan /Common/wan`. */
  readonly object?: string;
  readonly property?: string;
  /** The value seen, as its text. */
  readonly value?: string;
  /** What to do next: a sentence. */
  readonly hint?: string;
  readonly position?: TextPosition;
};

/** A configuration that was refused; nothing has changed. `message` starts with F5's code, as in `01020036:3: …`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigCode;
  readonly details: ConfigErrorDetails;

  constructor(code: ConfigCode, text: string, details: ConfigErrorDetails = {}) {
    const lead = code === 'configuration' ? 'Configuration error: ' : '';
    super(`${CONFIG_CODE[code]}:3: ${lead}${text}`);
    this.code = code;
    this.details = details;
  }
}

/** A text that is not the language: `Syntax Error: unexpected argument "foo"`, with the place. */
export class ConfigSyntaxError extends Error {
  override readonly name = 'ConfigSyntaxError';
  readonly details: ConfigErrorDetails;

  constructor(text: string, position: TextPosition, hint?: string) {
    super(`Syntax Error: ${text}`);
    this.details = hint === undefined ? { position } : { position, hint };
  }
}

export function formatPosition(position: TextPosition): string {
  return `${position.file === undefined ? '' : `${position.file}:`}${position.line}:${position.column}`;
}

/** The error in full: place, message, and the hint on a line of its own. */
export function describeConfigError(error: ConfigError | ConfigSyntaxError): string {
  const { position, hint } = error.details;
  const place = position === undefined ? '' : `${formatPosition(position)}: `;
  return `${place}${error.message}${hint === undefined ? '' : `\n  ${hint}`}`;
}

/** What an unknown thrown value says. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
