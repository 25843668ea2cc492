-- app.rarest_word - the word of a search whose entries in app.lead_word lead to the leads.
set local role leads_owner;

create or replace function app.rarest_word(
  organization_id uuid,
  words text[],
  before timestamptz,
  before_id uuid,
  out word text,
  out stored text[]
)
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
-- As app.found_leads.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := rarest_word.organization_id;
  v_most_stored integer := 32;
  v_word text;
  v_stored text[];
  v_is_sorted boolean;
  v_limit integer;
  v_count integer;
  v_least integer := 5000;
  v_reach timestamptz;
  v_first_reach timestamptz;
begin
  -- Entries are counted only as far as those of the best word until then. Long words come first, which are mostly the rarest.
  for v_word in select u.word from unnest(rarest_word.words) as u (word) order by char_length(u.word) desc loop
    v_stored := app.stored_words(v_organization_id, v_word, v_most_stored + 1);
    -- The index has the entries of one stored word in the order of the leads, so there may be any number of them. Those of
    -- many stored words are sorted.
    v_is_sorted := cardinality(v_stored) > v_most_stored;
    v_limit := case
      when v_is_sorted then v_least
      when cardinality(rarest_word.words) = 1 then 0
      else least(v_least, 1000)
    end;
    select count(*) into v_count
    from (
      select
      from app.lead_word as w
      where w.organization_id = v_organization_id and w.word >= v_word and w.word < v_word || U&'\+10FFFF'
      -- The order selects the index.
      order by w.word
      limit v_limit
    ) as w;
    -- Of words that have as many entries, the first is the one whose newest hundred reach back furthest.
    v_reach := case when not v_is_sorted and cardinality(rarest_word.words) > 1 then (
      select e.created_at
      from unnest(v_stored) as s (word)
      cross join lateral (
        select w.created_at
        from app.lead_word as w
        where
          w.organization_id = v_organization_id
          and w.word = s.word
          and (w.created_at, w.lead_id) < (rarest_word.before, rarest_word.before_id)
        order by w.created_at desc, w.lead_id desc
        limit 100
      ) as e
      order by e.created_at desc
      limit 1 offset 99
    ) end;
    if v_count < v_least or (v_count = v_least and v_reach < v_first_reach) then
      v_least := v_count;
      v_first_reach := v_reach;
      rarest_word.word := v_word;
      rarest_word.stored := case when not v_is_sorted then v_stored end;
    end if;
  end loop;
end $$;

comment on function app.rarest_word(uuid, text[], timestamptz, uuid) is
$$Of the words of a search, the one with the fewest entries, as far as they are counted.

stored: the words in app.lead_word that begin with it; null: more than 32. The entries of so many are sorted for each page, so there
are fewer than 5,000. word: null if no word has so few, so that the leads themselves are to be read. before, before_id: the upper
bound of the page, exclusive.$$;

grant execute on function app.rarest_word(uuid, text[], timestamptz, uuid) to leads_exec;
