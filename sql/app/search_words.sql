-- app.search_words - the beginnings of words that a search looks for.
set local role leads_owner;

create or replace function app.search_words(q text)
returns text[] language sql immutable parallel safe
begin atomic
  select array(
    select w.word collate "C"
    from regexp_split_to_table(lower(normalize(search_words.q, nfc)), '\s+') as p (part)
    -- An address may be pasted with <>, a comma or mailto:.
    cross join lateral (
      select regexp_replace(
        regexp_replace(p.part, '^(mailto:|' || app.word_gap() || ')+', ''), replace(app.word_gap(), '[^', '[^@') || '$', ''
      ) as text
    ) as t
    cross join lateral (
      -- The beginning of an e-mail address stays whole.
      select t.text where t.text ~ '^[^@]+@'
      union all
      select s.word from regexp_split_to_table(t.text, app.word_gap()) as s (word) where t.text !~ '^[^@]+@'
    ) as w (word)
    where w.word <> ''
    group by w.word
  );
end;

comment on function app.search_words(text) is
  'The words of a search in lower case, each once, separated as app.lead_words separates them. A word with an @ inside is the '
  'beginning of an e-mail address.';

grant execute on function app.search_words(text) to leads_exec;
