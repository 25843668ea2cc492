-- app.computed_lead_item - the text of app.lead.item for a row that has none.
set local role leads_owner;

-- In plpgsql, because PostgreSQL would inline a function in SQL, and prepare its expressions for each request.
create or replace function app.computed_lead_item(lead app.lead_values)
returns text language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return row_to_json(app.lead_item(computed_lead_item.lead))::text;
end $$;

comment on function app.computed_lead_item(app.lead_values) is
  'A row has no item if it was written without triggers, or if admin.fill_lead_items has not come to it yet.';

grant execute on function app.computed_lead_item(app.lead_values) to leads_exec;
