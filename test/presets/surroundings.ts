/** What a suite finds when it begins, before it imports anything: see with.mjs. */
import { choosePostgres } from '@concordat/testing';
import { replaceParsers } from './replaced-parsers.js';

const { CONCORDAT_TEST_POSTGRES, CONCORDAT_TEST_PARSERS } = process.env;
if (CONCORDAT_TEST_POSTGRES) choosePostgres(CONCORDAT_TEST_POSTGRES);
if (CONCORDAT_TEST_PARSERS) replaceParsers({ texts: false });
