//! What each endpoint answers, row by row of the documents.

mod body;
mod change_known_password;
mod change_name;
mod change_password;
mod clients;
mod delete;
mod gateway;
mod gotrue;
mod import_users;
mod login;
mod mobile;
mod operator;
mod pairs;
mod password_login;
mod purposes;
mod register;
mod reset_password;
mod sessions;
mod systems;
mod test_numbers;
mod three_dialects;
mod written;
