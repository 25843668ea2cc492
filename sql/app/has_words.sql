-- app.has_words - whether a lead has words that begin as a search wants.
set local role leads_owner;

create or replace function app.has_words(name text, company text, email text, words text[])
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := lower(normalize(concat_ws(' ', has_words.name, has_words.company, has_words.email), nfc));
  v_words text[];
  v_word text;
begin
  -- Most leads don't contain the text at all, which costs less to find out than their words.
  foreach v_word in array has_words.words loop
    if strpos(v_text, v_word) = 0 then
      return false;
    end if;
  end loop;
  v_words := app.lead_words(has_words.name, has_words.company, has_words.email);
  foreach v_word in array has_words.words loop
    if not exists (select from unnest(v_words) as w (word) where starts_with(w.word, v_word)) then
      return false;
    end if;
  end loop;
  return true;
end $$;

comment on function app.has_words(text, text, text, text[]) is
  'Whether each of the words (app.search_words) is the beginning of a word of the lead (app.lead_words).';

grant execute on function app.has_words(text, text, text, text[]) to leads_exec;
