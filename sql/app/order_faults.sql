-- app.order_faults - the parameters that do not fit the walk through the changes.
set local role leads_owner;

create or replace function app.order_faults("order" text, cursor text, filters text[])
returns json language sql immutable parallel safe
begin atomic
  with fault (field, code, detail) as (
    select f.name, 'not_combinable', 'This filter cannot be combined with order=updated_at. Leave one of them out.'
    from unnest(order_faults.filters) as f (name)
    where f.name is not null
    union all
    select 'order', 'not_combinable', 'With updated_since, or with a cursor of the changes, the order is updated_at. Send that, or leave it out.'
    where order_faults."order" <> 'updated_at'
    union all
    select 'cursor', 'invalid_cursor', 'This cursor is of another order. Leave it out for the first page.'
    where order_faults.cursor is not null and not api.is_change_cursor(order_faults.cursor)
  )
  select json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail)) from fault as f;
end;

comment on function app.order_faults(text, text, text[]) is
$$The field errors of a request for the leads that changed. Null: there is none.

"order", cursor: the parameters. filters: the names of the other filters that are set; null: one that is not set.$$;

grant execute on function app.order_faults(text, text, text[]) to leads_exec;
