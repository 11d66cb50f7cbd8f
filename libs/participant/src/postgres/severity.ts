/**
 * The severity of a server's error, in any language of the server. Guards the field's second
 * rule: only an ordinary ERROR is a certain no. Postgres translates the word (`lc_messages`), `pg` passes
 * on the translation only, and what is not known to mean ERROR leaves the question open.
 */

/** ERROR in the message catalogs of Postgres 15 to 18, by language. The others keep the English word. */
const ERROR_IN: Readonly<Record<string, string>> = {
  de: 'FEHLER',
  fr: 'ERREUR',
  it: 'ERRORE',
  ka: 'შეცდომა',
  ko: '오류',
  pl: 'BŁĄD',
  pt: 'ERRO',
  ru: 'ОШИБКА',
  sv: 'FEL',
  tr: 'HATA',
  uk: 'ПОМИЛКА',
  zh: '错误',
};
/** Languages whose catalog keeps ERROR, and those without translation. */
const ENGLISH_IN = ['c', 'posix', 'en', 'english', 'es', 'ja'];

const ERROR_WORDS = new Set(['ERROR', ...Object.values(ERROR_IN)]);

/** The severity with ERROR in English; other words stay as they are, for only ERROR is asked about. */
export function severityOf(word: string): string {
  return ERROR_WORDS.has(word) ? 'ERROR' : word;
}

/** Whether the errors of a server with this `lc_messages` are understood. Empty: the system's own. */
export function understandsLanguage(lcMessages: string): boolean {
  const language = /^[a-z]+/i.exec(lcMessages)?.[0].toLowerCase();
  if (language === undefined) return true;
  return ENGLISH_IN.includes(language) || Object.hasOwn(ERROR_IN, language);
}
