-- app.word_gap - what separates words.
set local role leads_owner;

create or replace function app.word_gap()
returns text language sql immutable parallel safe
begin atomic
  -- Marks that belong to the letter before them are no gap: accents, vowels of Hebrew, Arabic, the scripts of South Asia, Thai, Lao,
  -- Tibetan, Burmese and Khmer, and joiners. PostgreSQL does not count them as letters.
  select U&'[^[:alnum:]\0300-\036F\0483-\0487\0591-\05BD\064B-\065F\0900-\0963\0966-\096F\0971-\0DFF\0E31-\0E4E\0EB1-\0ECD'
    || U&'\0F71-\0F84\102B-\103E\17B4-\17D3\1AB0-\1AFF\1DC0-\1DFF\20D0-\20FF\200C\200D]+';
end;

comment on function app.word_gap() is
  'The pattern of a regular expression for the characters between two words: neither letters, digits, nor marks of letters.';

grant execute on function app.word_gap() to leads_exec, leads_jobs;
