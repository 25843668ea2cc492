-- app.search_faults - what is wrong with a search.
set local role leads_owner;

create or replace function app.search_faults(q text, words text[], filters text[])
returns json language sql immutable parallel safe
begin atomic
  with fault (field, code, detail) as (
    select 'q', 'control_character', 'This has a control character. Leave it out.'
    where app.control_character(search_faults.q) is not null
    union all
    select 'q', 'blank', 'This has no word. Send a word with a letter or a digit.'
    where cardinality(search_faults.words) = 0
    union all
    select 'q', 'too_many_words', format('This has %s words. Send at most 5.', cardinality(search_faults.words))
    where cardinality(search_faults.words) > 5
    union all
    select f.name, 'not_combinable', 'This cannot be combined with q. Leave one of them out.'
    from unnest(search_faults.filters) as f (name)
    where f.name is not null
  )
  select json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail)) from fault as f;
end;

comment on function app.search_faults(text, text[], text[]) is
$$The field errors of a search. Null: there is none.

q: the search. words: those of app.search_words. filters: the names of the parameters that are set and can't be combined with a search; null:
one that is not set.$$;

grant execute on function app.search_faults(text, text[], text[]) to leads_exec;
