// The precompiled header of the tests: that of the program, and GoogleTest.
#pragma once

#include <gtest/gtest.h>

#include "pch.h"
