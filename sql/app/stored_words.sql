-- app.stored_words - the stored words of an organization that begin as a search wants.
set local role leads_owner;

create or replace function app.stored_words(organization_id uuid, prefix text, "limit" integer)
returns text[] language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := stored_words.organization_id;
  v_prefix text collate "C" := stored_words.prefix;
  -- || is not leakproof: in the query, row-level security would not let the index use it.
  v_end text collate "C" := v_prefix || U&'\+10FFFF';
begin
  return array(
    -- Each step searches the index for the next word, and skips all entries of this one.
    with recursive stored (word) as (
      (
        select w.word
        from app.lead_word as w
        where w.organization_id = v_organization_id and w.word >= v_prefix and w.word < v_end
        order by w.word
        limit 1
      )
      union all
      select n.word
      from stored as s
      cross join lateral (
        select w.word
        from app.lead_word as w
        where w.organization_id = v_organization_id and w.word > s.word and w.word < v_end
        order by w.word
        limit 1
      ) as n
    )
    select s.word from stored as s limit stored_words.limit
  );
end $$;

comment on function app.stored_words(uuid, text, integer) is
$$The different words in app.lead_word that begin with the prefix, in their order, at most "limit" of them.$$;

grant execute on function app.stored_words(uuid, text, integer) to leads_exec;
