-- app.lead_words - the words by which a lead is searched.
set local role leads_owner;

create or replace function app.lead_words(name text, company text, email text)
returns text[] language sql immutable parallel safe
begin atomic
  select array(
    select w.word collate "C"
    from regexp_split_to_table(
      lower(normalize(concat_ws(' ', lead_words.name, lead_words.company, lead_words.email), nfc)), app.word_gap()
    ) as w (word)
    where w.word <> ''
    union
    select lower(lead_words.email) collate "C" where lead_words.email is not null
  );
end;

comment on function app.lead_words(text, text, text) is
  'The words of the three values in lower case, each once: what is between the gaps of '
  'app.word_gap, in the composed form of Unicode. The whole e-mail address is a word, too.';

grant execute on function app.lead_words(text, text, text) to leads_exec, leads_jobs;
