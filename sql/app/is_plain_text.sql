-- app.is_plain_text - whether a text is stored as the client sends it.
set local role leads_owner;

create or replace function app.is_plain_text(value text, max_length integer)
returns boolean language plpgsql immutable strict parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return char_length(is_plain_text.value) between 1 and is_plain_text.max_length
    and is_plain_text.value collate "C" !~ (
      '[\u0001-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]|^[' || app.invisible() || ']|[' || app.invisible() || ']$'
    );
end $$;

comment on function app.is_plain_text(text, integer) is
$$Whether the value is a text of 1 to max_length characters that app.clean_text does not change, without a control character.

False for some texts that have no fault, such as one that ends with an emoji and U+FE0F. Null for null.$$;

grant execute on function app.is_plain_text(text, integer) to leads_exec, leads_jobs;
