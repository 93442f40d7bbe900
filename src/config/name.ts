// Names of objects: /partition/folder/name, and how a bare name becomes one.

export const COMMON = '/Common';

// What a name may hold: any visible ASCII but white space, quotes, braces and the characters that start a comment or escape.
const NAME = /^[!$%&()*+,\-./0-9:<=>?@A-Z[\]^_`a-z|~]+$/;
const MAX_NAME_CHARACTERS = 255;

/** The full path of a name that was written in `folder`; what starts with a slash is a full path already. */
export function fullPath(name: string, folder: string = COMMON): string {
  return name.startsWith('/') ? name : `${folder === '/' ? '' : folder}/${name}`;
}

/** The name as one writes it in `folder`: bare where the object lies directly below it. */
export function relativeName(path: string, folder: string | undefined): string {
  const prefix = `${folder ?? ''}/`;
  return folder !== undefined && path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

/** `Common` of `/Common/wan`. */
export function partitionOf(path: string): string {
  return path.split('/')[1] ?? '';
}

/** Why this cannot be a full path; undefined when it can. */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return 'a full path starts with a slash';
  if (path.split('/').length < 3) return 'a full path is /partition/name';
  if (path.split('/').some((part, index) => index > 0 && part === '')) return 'a part of the path is empty';
  return nameProblem(path);
}

/** Why this cannot be the path of a folder; undefined when it can. */
export function folderProblem(path: string): string | undefined {
  if (path === '/') return undefined;
  if (!path.startsWith('/')) return 'a full path starts with a slash';
  if (path.slice(1).split('/').includes('')) return 'a part of the path is empty';
  return nameProblem(path);
}

/** Why this cannot be a name without a path; undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'a name is needed';
  if (name.length > MAX_NAME_CHARACTERS) return `a name has at most ${MAX_NAME_CHARACTERS} characters`;
  if (name === '__proto__') return 'this name is reserved';
  return NAME.test(name) ? undefined : 'a name holds letters, digits and _ - . : % / only';
}
