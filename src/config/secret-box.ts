// Secrets of the configuration: sealed from the word that somebody typed to the moment in which a key is used.
//
// A property with `secret` has as its value not the secret but its sealed text, `$M$…`: so everything that prints, saves, compares
// or sends a configuration handles secrets without knowing it. Sealing is a function of the master key and the text
// alone: the same secret has the same sealed text, and a configuration that is written again has not changed.
// What seals is injected, once for a process: a machine has one master key (docs/decisions/secrets.md).

/** A secret, or why it cannot be had; `problem` continues the name of a property and never shows the secret. */
export type OpenedSecret = { readonly text: string } | { readonly problem: string };

export interface SecretBox {
  /** The sealed text of a secret: `$M$`, the name of the master key, and what only that key opens. */
  seal(text: string): string;
  open(sealed: string): OpenedSecret;
}

/** What sealed texts begin with, as those of a BIG-IP do. */
export const SEALED = '$M$';

let current: SecretBox | undefined;

/** Says what seals and opens the secrets of this process. */
export function useSecretBox(box: SecretBox): void {
  current = box;
}

/** Throws where the process has no master key: only those that read or use a configuration have. */
export function sealSecret(text: string): string {
  if (current === undefined) throw new Error('this process has no master key');
  return current.seal(text);
}

export function openSecret(sealed: string): OpenedSecret {
  return current?.open(sealed) ?? { problem: 'cannot be read: this process has no master key' };
}
